"""Runs that go on by themselves, with synthetic listeners, and how they are steered."""

import threading
import time
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from evolution import evaluation, generations, pruning, runs
from evolution import selectors as search
from evolution import targets as target_music
from evolution.config import parse
from evolution.models import Candidate, Evaluation, Generation, Round, Run
from evolution.takes import Instruments, Take
from listening import conducting, feedback, listeners, profiles, rounds, selectors, trials
from listening.models import Listener, Playlist, Rating, TasteSnapshot
from tests.integration.test_targets import sound

pytestmark = pytest.mark.django_db(transaction=True)


def configuration(**more):
    small = {
        "epochs": 2,
        "user_model": {"best_solutions": 3},
        "evolution": {
            "exp_name": "trial",
            "generations": 2,
            "duration": 1.0,
            "best_duration": 1.5,
            "search": {"population_size": 6},
            **more,
        },
    }
    return parse(small)


def begin(*, reference_user=3, seed=5, **more):
    return trials.begin(runs.create(configuration(**more)), reference_user=reference_user, seed=seed)


def wait_until_over(run, *, seconds=60):
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        run.refresh_from_db()
        if run.status not in (Run.Status.RUNNING, Run.Status.PAUSED):
            return run
        time.sleep(0.05)
    raise AssertionError(f"{run} is still {run.status}")


def history(run):
    found = Candidate.objects.filter(generation__round__run=run)
    ordered = found.order_by("generation__round__number", "generation__number", "position")
    return list(ordered.values_list("prompt", "seed", "fitness", "likeness", "parents", "operators", "elite"))


def test_a_synthetic_listener_goes_through_all_rounds_and_rates_each(workers):
    listener = begin()
    run = wait_until_over(listener.run)
    assert (run.status, run.message) == (Run.Status.DONE, "")
    assert run.finished_at is not None
    assert [round_.generations.count() for round_ in run.rounds.order_by("number")] == [1, 2]
    assert [playlist.places.count() for playlist in Playlist.objects.filter(listener=listener)] == [3, 3]
    assert Rating.objects.filter(listener=listener).count() == 6
    figures = [taste.figures for taste in TasteSnapshot.objects.filter(listener=listener).order_by("round__number")]
    assert {"loss", "spread", "spearman", "auc", "cosine", "embedding_cosine", "absolute_error"} <= figures[1].keys()
    assert figures[1]["loss"] > 0
    assert all(generation.played == 6 for generation in Generation.objects.filter(round__run=run, number=1)[:1])
    assert all(generation.player_seconds > 0 for generation in Generation.objects.filter(round__run=run))


def test_two_runs_with_one_seed_are_the_same_and_another_seed_is_not(workers):
    first, again, other = begin(seed=7), begin(seed=7), begin(seed=8)
    for listener in (first, again, other):
        wait_until_over(listener.run)
    assert history(first.run) == history(again.run)
    assert history(first.run) != history(other.run)


def test_user_mode_climbs_towards_the_reference_user_from_the_first_round(workers):
    listener = begin(fitness={"mode": "user", "noise_weight": 0.0})
    run = wait_until_over(listener.run)
    assert run.rounds.get(number=1).generations.count() == 2
    candidate = Candidate.objects.filter(generation__round__run=run).select_related("evaluation").first()
    heard = generations.heard([candidate.evaluation])
    truth = float(profiles.reference(listener).likeness(heard.embeddings)[0])
    assert candidate.likeness == pytest.approx(truth, abs=1e-6)
    assert candidate.fitness == pytest.approx(truth, abs=1e-6)


def test_music_mode_seeks_what_sounds_like_the_target(workers):
    path = target_music.keep(sound(3.0), name="target.wav")
    listener = begin(fitness={"mode": "music", "target_music": str(path), "noise_weight": 0.0})
    run = wait_until_over(listener.run)
    assert run.status == Run.Status.DONE, run.message
    target = evaluation.hear(target_music.sound_file(path, window=1.0), Instruments())
    aligner = profiles.aligner_of(listener)
    candidate = Candidate.objects.filter(generation__round__run=run).select_related("evaluation").first()
    songs = aligner.project_songs(generations.heard([target, candidate.evaluation]).embeddings)
    assert candidate.likeness == pytest.approx(float(songs[0] @ songs[1]), abs=1e-5)


def test_a_target_that_is_gone_fails_the_run_with_its_name_and_plays_nothing(workers, tmp_path):
    listener = begin(fitness={"mode": "music", "target_music": str(tmp_path / "gone.wav")})
    run = wait_until_over(listener.run)
    assert run.status == Run.Status.FAILED
    assert "gone.wav: expected a sound file, there is none" in run.message
    assert not Candidate.objects.filter(generation__round__run=run).exists()


def test_a_paused_run_rests_between_generations_and_ends_as_if_it_had_not(workers):
    undisturbed, paused = begin(seed=11), begin(seed=11)
    assert runs.pause(paused.run)
    wait_until_over(undisturbed.run)
    time.sleep(0.5)
    count = Generation.objects.filter(round__run=paused.run).count()
    time.sleep(1.0)
    paused.run.refresh_from_db()
    assert paused.run.status == Run.Status.PAUSED
    assert Generation.objects.filter(round__run=paused.run).count() == count < 3
    assert trials.resume(paused.run)
    assert wait_until_over(paused.run).status == Run.Status.DONE
    assert history(paused.run) == history(undisturbed.run)


def test_a_stopped_run_makes_nothing_more_and_can_be_taken_up_again(workers):
    listener = begin(seed=12)
    assert runs.stop(listener.run)
    assert not runs.stop(listener.run)
    assert not Round.objects.filter(run=listener.run, status__in=Round.PENDING).exists()
    assert trials.resume(listener.run)
    assert not trials.resume(listener.run)
    conducting.resume_stranded()
    assert wait_until_over(listener.run).status == Run.Status.DONE


def test_a_run_whose_conductor_died_between_two_rounds_goes_on(workers, settings):
    listener = begin(seed=13)
    twin = begin(seed=13)
    wait_until_over(listener.run)
    wait_until_over(twin.run)
    # As it was when the first round was done and nothing was rated yet.
    Run.objects.filter(pk=twin.run_id).update(status=Run.Status.RUNNING)
    Rating.objects.filter(listener=twin).delete()
    twin.run.rounds.filter(number=2).delete()
    state = Run.objects.get(pk=twin.run_id)
    Run.objects.filter(pk=twin.run_id).update(searcher_state=_after_first_round(state))
    conducting.resume_stranded()
    assert wait_until_over(twin.run).status == Run.Status.DONE
    assert history(twin.run) == history(listener.run)


def _after_first_round(run):
    """The searcher's state after the run's first generation, made again from nothing."""
    from evolution.search.fitness import TasteFitness
    from models_store import checkpoints
    from models_store.taste.base import mean_taste

    fresh = Run.objects.get(pk=run.pk)
    fresh.searcher_state = b""
    searcher = generations.open_searcher(fresh)
    player = generations._Player(fresh, TasteFitness(mean_taste(profiles.aligner()), 0.5), None)
    searcher.step(player.scores)
    return checkpoints.to_bytes(searcher.state())


def test_rounds_that_a_command_works_on_are_left_alone_by_the_service(db):
    experiment = runs.create(configuration())
    listener = trials.begin(experiment, reference_user=0, seed=1, conductor=Run.Conductor.COMMAND)
    runs.request_round(listener.run_id)
    assert search.pending_rounds() == []
    conducting.resume_stranded()
    assert Round.objects.get(run=listener.run).status == Round.Status.QUEUED


def test_a_prompt_that_the_generator_refuses_scores_the_worst_and_spoils_no_other(workers):
    asked = [Take("", 1, 1.0), Take("calm jazz with piano", 2, 1.0)]
    stored = evaluation.evaluate(asked, Instruments())
    refused, fine = (stored[take.key(Instruments())] for take in asked)
    assert refused.artefacts == [1.0] * 5
    assert max(fine.artefacts) < 1.0


def test_a_length_that_the_generator_refuses_is_an_error_with_its_sentence(workers):
    with pytest.raises(evaluation.PlayingError, match="seconds: expected"):
        evaluation.evaluate([Take("calm jazz", 1, 10_000.0)], Instruments())


def test_experiments_of_one_name_are_numbered_and_keep_no_secret(db, monkeypatch):
    monkeypatch.setenv("LLM_API_KEY", "sk-very-secret")
    written = configuration(LLM={"api_key": "${LLM_API_KEY}"})
    names = [runs.create(written, name="Trial one!").name for _ in range(3)]
    assert names == ["trial-one", "trial-one-2", "trial-one-3"]
    assert "very-secret" not in str(runs.create(written).configuration)


def test_new_listeners_fall_into_the_open_arms_by_weight(db):
    heavy, light, closed = (runs.create(configuration(), name=name) for name in ("heavy", "light", "closed"))
    for arm, weight in ((heavy, 3.0), (light, 1.0)):
        arm.is_open, arm.weight = True, weight
        arm.save()
    found = [listeners.make_guest().run.experiment_id for _ in range(80)]
    assert 40 <= found.count(heavy.pk) <= 75
    assert found.count(heavy.pk) + found.count(light.pk) == 80
    assert closed.pk not in found


def test_evaluations_are_forgotten_some_time_after_their_run_is_over_but_those_of_tracks_are_kept(workers):
    over, going_on = begin(seed=21), begin(seed=22)
    for listener in (over, going_on):
        wait_until_over(listener.run)
    Run.objects.filter(pk=going_on.run_id).update(status=Run.Status.RUNNING)
    assert pruning.prune(older_than=timedelta(days=1)) == 0
    assert pruning.prune(older_than=timedelta(0)) > 0
    assert Candidate.objects.filter(generation__round__run=over.run, evaluation=None).exists()
    assert not Candidate.objects.filter(generation__round__run=going_on.run, evaluation=None).exists()
    for track in over.tracks.all():
        assert track.recording.evaluation.embedding


def person(**more):
    experiment = runs.create(configuration(**more))
    experiment.is_open = True
    experiment.save()
    listener = listeners.make_guest()
    assert listener.run.experiment == experiment
    return listener


def page_of(listener):
    client = Client()
    client.force_login(listener.user)
    return client.get("/listen/")


@pytest.mark.parametrize(("steer", "sentence"), [(runs.pause, "rests for the moment"), (runs.stop, "is over")])
def test_a_person_whose_run_rests_or_is_over_is_told_so_also_after_a_reload(db, steer, sentence):
    listener = person()
    feedback.evolve(listener=listener)
    assert steer(listener.run)
    for _ in range(2):
        assert page_of(listener).status_code == 200
        assert sentence in selectors.state(Listener.objects.get(pk=listener.pk))["round"]["message"]


def test_every_state_of_a_round_has_a_sentence():
    assert set(selectors.MESSAGES) == set(Round.Status)


def test_people_do_not_wait_for_runs_that_go_on_by_themselves(workers, monkeypatch):
    monkeypatch.setattr(rounds, "TRIALS_PER_CONDUCTOR", 1)
    crowd = [begin(seed=seed) for seed in range(30, 38)]
    listener = listeners.make_guest()
    started = time.monotonic()
    round_ = feedback.evolve(listener=listener)
    while Round.objects.get(pk=round_.pk).started_at is None and time.monotonic() < started + 30:
        time.sleep(0.05)
    over = Run.objects.filter(pk__in=[one.run_id for one in crowd], status=Run.Status.DONE).count()
    assert over < len(crowd) - 1
    assert Round.objects.get(pk=round_.pk).started_at is not None
    for one in crowd:
        if wait_until_over_or_asked(one.run).status != Run.Status.DONE:
            raise AssertionError(one.run.message)


def wait_until_over_or_asked(run, *, seconds=90):
    """Wait for a run, asking for what was left aside as the beat does."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        run.refresh_from_db()
        if run.status != Run.Status.RUNNING:
            return run
        rounds.resume_abandoned()
        time.sleep(0.3)
    raise AssertionError(f"{run} is still {run.status}")


def test_a_language_model_that_cannot_be_reached_is_told_of_before_anything_is_played(workers, monkeypatch):
    monkeypatch.setenv("TRIAL_API_KEY", "sk-never-shown")
    model = {"api_key": "${TRIAL_API_KEY}", "api_uri": "http://127.0.0.1:9/v1", "retries": 0, "timeout": 5.0}
    listener = begin(LLM=model, search={"mode": "LLM evolve", "population_size": 6})
    run = wait_until_over(listener.run)
    assert run.status == Run.Status.FAILED
    assert "127.0.0.1:9" in run.message
    assert "sk-never-shown" not in run.message
    assert not Evaluation.objects.exists()


def test_why_an_experiment_cannot_be_run_is_not_told_to_those_who_only_listen(workers):
    model = {"api_uri": "http://127.0.0.1:9/v1", "retries": 0, "timeout": 5.0}
    listener = person(LLM=model, search={"mode": "LLM evolve", "population_size": 6})
    round_ = feedback.evolve(listener=listener)
    give_up = time.monotonic() + 30
    while Round.objects.get(pk=round_.pk).status != Round.Status.FAILED and time.monotonic() < give_up:
        time.sleep(0.05)
    message = selectors.state(listener)["round"]["message"]
    assert "Try again" in message
    assert "127.0.0.1" not in message


def test_a_search_that_finds_nothing_new_plays_its_best_again(workers):
    search = {"mode": "GA", "population_size": 2, "snap": True, "GA_operators": [STILL]}
    listener = begin(fitness={"mode": "user"}, search=search, max_seq_len=3)
    run = wait_until_over(listener.run)
    assert run.status == Run.Status.DONE, run.message
    first, second = (
        set(playlist.places.values_list("track__recording", flat=True)) for playlist in playlists(listener)
    )
    assert second <= first
    assert second


STILL = {"name": "GaussianMutation", "parameters": {"stdev": 1e-6}}


def playlists(listener):
    return Playlist.objects.filter(listener=listener).order_by("number")


def last_heard(listener):
    return list(playlists(listener).last().places.values_list("track__recording", flat=True))


def test_a_stopped_run_whose_evaluations_were_forgotten_goes_on_to_the_same_end(workers):
    undisturbed, stopped = begin(seed=41), begin(seed=41)
    wait_until_over(undisturbed.run)
    wait_until_over(stopped.run)
    # As it was when its last playlist was still to be made.
    last = stopped.run.rounds.get(number=2)
    Playlist.objects.filter(round=last).delete()
    stopped.tracks.filter(place=None).delete()
    Rating.objects.filter(listener=stopped, track__place=None).delete()
    Round.objects.filter(pk=last.pk).update(status=Round.Status.STOPPED)
    now = timezone.now()
    Run.objects.filter(pk__in=[stopped.run_id, undisturbed.run_id]).update(status=Run.Status.STOPPED, finished_at=now)
    assert pruning.prune(older_than=timedelta(0)) > 0
    assert trials.resume(stopped.run)
    assert wait_until_over(stopped.run).status == Run.Status.DONE
    heard = [
        list(playlists(one).last().places.values_list("track__recording", flat=True)) for one in (undisturbed, stopped)
    ]
    assert heard[0] == heard[1]


def test_a_resumed_run_is_never_seen_without_its_round(workers, monkeypatch):
    listener = begin(seed=43)
    run = wait_until_over(listener.run)
    Run.objects.filter(pk=run.pk).update(status=Run.Status.FAILED, message="old")
    Round.objects.filter(run=run, number=2).update(status=Round.Status.FAILED, message="old")
    real = runs.request_round

    def beat_comes_first(*arguments, **options):
        thread = threading.Thread(target=conducting.resume_stranded)
        thread.start()
        thread.join()
        return real(*arguments, **options)

    monkeypatch.setattr(runs, "request_round", beat_comes_first)
    assert trials.resume(run)
    monkeypatch.undo()
    assert wait_until_over(run).status == Run.Status.DONE


def test_what_a_lost_conductor_could_not_tell_the_trackers_is_told_by_the_next(workers, settings, tmp_path):
    settings.STATE_FOLDER = tmp_path
    listener = begin(seed=44, logger={"tensorboard": True})
    run = wait_until_over(listener.run)
    [ledger] = tmp_path.glob("tracking/*/tracking.csv")
    complete = ledger.read_text().splitlines()
    ledger.write_text("\n".join([line for line in complete if not line.startswith("2,")]) + "\n")
    with conducting._tracked(run.rounds.get(number=2)):
        pass
    assert sorted(ledger.read_text().splitlines()) == sorted(complete)


def test_an_experiment_deleted_while_it_is_worked_on_leaves_no_error_behind(workers, caplog):
    listener = begin(seed=45)
    while not Generation.objects.filter(round__run=listener.run).exists():
        time.sleep(0.05)
    run = listener.run
    listener.tracks.all().delete()
    listener.delete()
    run.delete()
    time.sleep(3)
    assert "Traceback" not in caplog.text
