"""Who plays what: instruments that were asked for take the roles they suit, the genre's habits fill the rest."""

from __future__ import annotations

import random
from dataclasses import dataclass

from models_store.generators.soundfont.description import Description
from models_store.generators.soundfont.genres import GENRES
from models_store.generators.soundfont.instruments import INSTRUMENTS

_ROLE_LETTERS = {"lead": "l", "comp": "c", "pad": "p", "bass": "b", "arp": "a"}
_ORDER = ("lead", "comp", "pad", "arp", "bass")


@dataclass(frozen=True)
class Cast:
    """An instrument's name for every role, "" for a role that is not played."""

    lead: str
    comp: str
    pad: str
    bass: str
    arp: str
    kit: str

    def role(self, name: str) -> str:
        return str(getattr(self, name))


def cast(description: Description, *, draw: random.Random) -> Cast:
    """Casts a piece. At least one role other than the drums is always played."""
    genre = GENRES[description.genre]
    habits = {"lead": genre.lead, "comp": genre.comp, "pad": genre.pad, "bass": genre.low, "arp": genre.arp}
    # Drawn for every role whatever was asked for, so that one more instrument does not change the others.
    usual = {role: draw.choice(names) for role, names in habits.items()}
    roles = _given_roles(description.instruments)
    melodic = [i for i in description.instruments if INSTRUMENTS[i].roles != "b"]
    alone = "others" in description.silenced and bool(description.instruments)
    for role in ("lead", "comp"):
        if role not in roles:
            doubled = next((i for i in melodic if _ROLE_LETTERS[role] in INSTRUMENTS[i].roles), None)
            roles[role] = doubled or ("" if alone else usual[role])
    for role in ("pad", "arp", "bass"):
        if role not in roles:
            # What was asked for should be heard: fewer unasked instruments beside it.
            wanted = role == "bass" or len(melodic) < (3 if role == "pad" else 2)
            roles[role] = usual[role] if wanted and not alone else ""
    if alone and not roles["bass"]:
        # A soloist's left hand.
        roles["bass"] = next((i for i in melodic if INSTRUMENTS[i].low <= 42 and "c" in INSTRUMENTS[i].roles), "")
    if description.density < 0.4:
        roles["arp"] = roles["arp"] if roles["arp"] in description.instruments else ""
    elif description.density > 0.75 and not alone and not roles["pad"] and len(melodic) < 3:
        roles["pad"] = next((name for name in genre.pad if name), "")
    played = {role: _allowed(role, roles[role], description) for role in _ORDER}
    if not any(played.values()):
        chordal = (name for name, i in INSTRUMENTS.items() if "c" in i.roles and name not in description.silenced)
        played["comp"] = next(chordal, "piano")
    return Cast(**played, kit=description.kit)


def _given_roles(instruments: tuple[str, ...]) -> dict[str, str]:
    """One role for every instrument that was asked for: the first free one of those it is good for."""
    roles: dict[str, str] = {}
    letters = {letter: role for role, letter in _ROLE_LETTERS.items()}
    for name in sorted(instruments, key=lambda n: len(INSTRUMENTS[n].roles)):
        for letter in INSTRUMENTS[name].roles:
            if letters[letter] not in roles:
                roles[letters[letter]] = name
                break
        else:
            spare = next((role for role in ("arp", "pad", "lead", "comp") if role not in roles), None)
            if spare and "b" not in INSTRUMENTS[name].roles:
                roles[spare] = name
    return roles


def _allowed(role: str, name: str, description: Description) -> str:
    """The instrument, a stand-in when it must not sound, or "" when the whole role must not."""
    silenced = description.silenced
    whole = {"lead": "melody", "comp": "chords", "pad": "chords", "arp": "chords", "bass": "bass"}[role]
    if not name or whole in silenced:
        return ""
    if name not in silenced:
        return name
    gone = INSTRUMENTS[name]
    stand_ins = [n for n, i in INSTRUMENTS.items() if _ROLE_LETTERS[role] in i.roles and n not in silenced]
    if not stand_ins or role in ("pad", "arp"):
        return ""
    return min(
        stand_ins,
        key=lambda n: abs(INSTRUMENTS[n].brightness - gone.brightness) + abs(INSTRUMENTS[n].acoustic - gone.acoustic),
    )
