"""What every player of a plan plays."""

from __future__ import annotations

import random

from models_store.generators.soundfont import accompaniment, drums, harmony, melody
from models_store.generators.soundfont.form import INTRO_BARS, Plan
from models_store.generators.soundfont.instruments import INSTRUMENTS
from models_store.generators.soundfont.score import Note, Part, hits

_GAINS = {"lead": 1.0, "comp": 0.6, "pad": 0.6, "bass": 1.15, "arp": 0.5, "drums": 1.1}
_LOUDER_STYLES = {"power": 1.6, "chug": 1.6, "stab": 1.25, "skank": 1.3, "funk": 1.2, "disco": 1.2}
_QUIET_PATTERNS = {"swing": 1.8, "onedrop": 1.5, "gospel": 1.3, "soul": 1.3, "samba": 1.3, "lofi": 1.2, "tabla": 1.2}
_SENDS = {"lead": 1.0, "comp": 0.8, "pad": 1.1, "bass": 0.1, "arp": 1.0, "drums": 0.3}
_PANS = {"lead": 0.08, "comp": -0.38, "pad": 0.2, "bass": 0.0, "arp": 0.5, "drums": 0.0}


def parts(plan: Plan) -> list[Part]:
    """All parts that have something to play."""
    written = (_lead(plan), _comp(plan), _pad(plan), _bass(plan), _arp(plan), _drums(plan))
    return [part for part in written if part is not None and part.notes]


def _part(plan: Plan, role: str, instrument: str) -> Part:
    side = 1.0 if plan.draw("sides").random() < 0.5 else -1.0
    gain = _GAINS[role]
    if role in ("comp", "pad", "arp") and not plan.cast.lead:
        gain *= 1.4
    if role == "comp":
        gain *= _LOUDER_STYLES.get(plan.genre.chords, 1.0)
    if role == "drums":
        gain *= _QUIET_PATTERNS.get(plan.genre.drums, 1.0)
        gain *= 0.7 + 0.5 * plan.description.energy
    return Part(instrument, role, gain, side * _PANS[role], _SENDS[role])


def _by_density(rhythms: list[str], density: float, draw: random.Random) -> list[str]:
    """The rhythms, those first that are as busy as the density asks; near ones in an order of the seed's."""
    busiest = sorted(rhythms, key=lambda rhythm: len(hits(rhythm)))
    last = max(1, len(busiest) - 1)
    distance = {rhythm: abs(i / last - density) + draw.uniform(0.0, 0.5) for i, rhythm in enumerate(busiest)}
    return sorted(distance, key=lambda rhythm: distance[rhythm])


def _lead(plan: Plan) -> Part | None:
    if not plan.cast.lead:
        return None
    instrument = INSTRUMENTS[plan.cast.lead]
    part = _part(plan, "lead", plan.cast.lead)
    style = plan.genre.melody
    draw = plan.draw("theme")
    density = plan.description.density
    first = melody.theme(style, density=density, beats=plan.timeline.beats, draw=draw)
    themes = {"A": first, "A'": melody.vary(first, style, draw=draw), "B": melody.contrast(first, draw=draw)}
    # Between where melodies are heard best and where the instrument is at home.
    middle = 0.5 * (72.0 + 0.5 * (instrument.low + instrument.high)) + 5.0 * plan.description.brightness
    centre = round(min(instrument.high - 9, max(instrument.low + 8, middle)))
    draw = plan.draw("lead")
    for number, since in plan.since():
        section = plan.sections[number]
        if section == "intro":
            continue
        tune = themes["A'"] if section == "A" and since // 4 % 2 else themes[section]
        part.notes += melody.bar(
            tune, since % 4, number=number, chords=plan.chords[number], centre=centre, style=style,
            tonic=plan.tonic, mode=plan.mode, last=since % 8 == 7 or plan.phrase == 4, draw=draw,
        )  # fmt: skip
    return part


def _comp(plan: Plan) -> Part | None:
    if not plan.cast.comp:
        return None
    part = _part(plan, "comp", plan.cast.comp)
    style = plan.genre.chords
    draw = plan.draw("comp")
    options = [rhythm[: plan.timeline.steps] for rhythm in accompaniment.CHORDS[style]]
    chosen = _by_density(options, plan.description.density, draw)
    instrument = INSTRUMENTS[plan.cast.comp]
    centre = min(instrument.high - 8.0, max(instrument.low + 8.0, 59.0 + 3.0 * plan.description.brightness))
    led: tuple[int, ...] = ()
    for number, section in enumerate(plan.sections):
        rhythm = chosen[(1 if section == "B" else 0) % len(chosen)]
        if number % 4 == 3 and draw.random() < 0.35:
            rhythm = draw.choice(options)
        for start, end, chord in plan.windows(number):
            led = harmony.voicing(chord, before=led, centre=centre, voices=4 if plan.genre.colour > 3 else 3)
            part.notes += accompaniment.chord_bar(
                rhythm, style, led, chord, number=number, window=(start, end), draw=draw
            )
    return part


def _pad(plan: Plan) -> Part | None:
    if not plan.cast.pad:
        return None
    part = _part(plan, "pad", plan.cast.pad)
    instrument = INSTRUMENTS[plan.cast.pad]
    centre = min(instrument.high - 8.0, max(instrument.low + 8.0, 64.0 + 3.0 * plan.description.brightness))
    led: tuple[int, ...] = ()
    for number in range(len(plan.sections)):
        for start, end, chord in plan.windows(number):
            led = harmony.voicing(chord, before=led, centre=centre, voices=3)
            part.notes += [Note(number, start, end - start, key, 0.75) for key in led]
    return part


def _bass(plan: Plan) -> Part | None:
    if not plan.cast.bass:
        return None
    part = _part(plan, "bass", plan.cast.bass)
    draw = plan.draw("bass")
    options = [rhythm[: plan.timeline.steps] for rhythm in accompaniment.BASS[plan.genre.bass]]
    chosen = _by_density(options, plan.description.density, draw)
    instrument = INSTRUMENTS[plan.cast.bass]
    low = max(28, instrument.low)
    walks = plan.genre.bass in ("walking", "shuffle", "baroque")
    for number, section in enumerate(plan.sections):
        rhythm = chosen[(1 if section == "B" else 0) % len(chosen)]
        if walks or (number % 4 == 3 and draw.random() < 0.5):
            rhythm = draw.choice(options)
        if plan.is_long and number < INTRO_BARS // 2:
            continue
        windows = plan.windows(number)
        after = plan.chords[number + 1][0][1] if number + 1 < len(plan.chords) else windows[0][2]
        for i, (start, end, chord) in enumerate(windows):
            following = windows[i + 1][2] if i + 1 < len(windows) else after
            part.notes += accompaniment.bass_bar(
                rhythm, chord, following, number=number, span=(low, low + 14), window=(start, end)
            )
    return part


def _arp(plan: Plan) -> Part | None:
    if not plan.cast.arp:
        return None
    part = _part(plan, "arp", plan.cast.arp)
    draw = plan.draw("arp")
    calm = plan.description.density < 0.55
    options = [r for r in accompaniment.ARPEGGIOS if calm == (len([c for c in r if c not in ".-"]) < 9)]
    rhythm = draw.choice(options)[: plan.timeline.steps]
    instrument = INSTRUMENTS[plan.cast.arp]
    centre = min(instrument.high - 12.0, max(instrument.low + 8.0, 80.0 + 4.0 * plan.description.brightness))
    led: tuple[int, ...] = ()
    for number, since in plan.since():
        # A long piece builds up: the arpeggio joins when the theme is known.
        if plan.is_long and (plan.sections[number] == "intro" or number == since + INTRO_BARS):
            continue
        for start, end, chord in plan.windows(number):
            led = harmony.voicing(chord, before=led, centre=centre, voices=3)
            part.notes += accompaniment.chord_bar(
                rhythm, "arp", led, chord, number=number, window=(start, end), draw=draw
            )
    return part


def _drums(plan: Plan) -> Part | None:
    if not plan.cast.kit:
        return None
    part = _part(plan, "drums", plan.cast.kit)
    family, beats, energy = plan.genre.drums, plan.timeline.beats, plan.description.energy
    draw = plan.draw("drums")
    main = draw.randint(0, 1)
    for number, since in plan.since():
        section = plan.sections[number]
        variant = main + (1 if section == "B" else 0)
        notes = drums.bar(
            family, beats=beats, variant=variant, number=number, density=plan.description.density, draw=draw
        )
        if section == "intro":
            notes = [n for n in notes if n.key != drums.KEYS["kick"] and n.key != drums.KEYS["snare"]]
        if since % plan.phrase == plan.phrase - 1 or (since % 4 == 3 and draw.random() < 0.3):
            filled = drums.fill(family, beats=beats, number=number, kit=plan.cast.kit, energy=energy, draw=draw)
            start = min((n.step for n in filled), default=99.0)
            notes = [n for n in notes if n.step < start] + filled
        if number and since == 0 and energy > 0.3:
            notes.append(Note(number, 0, 1.0, drums.KEYS["crash"], 0.7))
        part.notes += notes
    return part
