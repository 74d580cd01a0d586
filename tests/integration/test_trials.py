"""Runs that go on by themselves, with synthetic listeners, and how they are steered."""

import time
from datetime import timedelta

import pytest

from evolution import evaluation, generations, pruning, runs
from evolution import targets as target_music
from evolution.config import parse
from evolution.models import Candidate, Generation, Round, Run
from evolution.takes import Instruments, Take
from listening import conducting, listeners, profiles, trials
from listening.models import Playlist, Rating, TasteSnapshot
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
    runs.request_round(listener.run)
    from evolution import selectors

    assert selectors.pending_rounds() == []
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
