"""From the words of a prompt to a mood: colours, weather, place, composition.

Owns the word lists (English and Korean) and the palettes. Pure; the painters receive the mood.
"""

from __future__ import annotations

import colorsys
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from random import Random

Colour = tuple[int, int, int]
Composition = Literal["solo", "bust", "group", "light"]
Place = Literal["stage", "city", "beach", "forest"]

# A lone Korean syllable is a word only where no other syllable touches it: 은 is silver, but also a particle.
_ALONE = r"(?<![가-힣]){}(?![가-힣])"

_COLOUR_WORDS: tuple[tuple[str, Colour], ...] = (
    (rf"silver|chrome|metallic|은색|은빛|은발|실버|{_ALONE.format('은')}", (196, 208, 228)),
    (rf"gold|golden|금색|금빛|금발|골드|황금|{_ALONE.format('금')}", (255, 196, 84)),
    ("hot pink|magenta|fuchsia|마젠타|핫핑크", (255, 40, 150)),
    ("pink|rose|blossom|분홍|핑크|벚꽃|장미", (255, 120, 180)),
    ("red|crimson|scarlet|빨강|빨간|붉은|레드", (255, 52, 72)),
    ("coral|peach|코랄|살구|복숭아", (255, 138, 116)),
    ("orange|sunset|주황|오렌지|노을|석양", (255, 134, 52)),
    ("yellow|lemon|노랑|노란|옐로|레몬", (255, 220, 70)),
    ("mint|민트", (120, 240, 200)),
    ("green|emerald|초록|녹색|그린|에메랄드", (60, 214, 124)),
    ("teal|turquoise|cyan|aqua|청록|시안|하늘색", (60, 216, 232)),
    ("blue|navy|ocean|파랑|파란|푸른|블루|남색", (64, 128, 255)),
    ("purple|violet|보라|퍼플|바이올렛", (160, 84, 255)),
    ("lavender|lilac|라벤더|라일락", (190, 160, 255)),
    ("white|ivory|하양|하얀|흰|화이트", (238, 240, 250)),
    ("black|dark|검정|검은|블랙", (70, 74, 100)),
    ("brown|beige|latte|갈색|베이지|브라운", (214, 170, 130)),
)
_DUOS: tuple[tuple[Colour, Colour], ...] = (
    ((255, 64, 160), (64, 120, 255)),
    ((160, 84, 255), (60, 216, 232)),
    ((255, 134, 52), (214, 40, 140)),
    ((64, 128, 255), (196, 208, 228)),
    ((255, 120, 180), (160, 110, 255)),
    ((60, 214, 180), (72, 90, 255)),
    ((255, 196, 84), (255, 72, 96)),
)
_NEON: tuple[Colour, Colour] = ((255, 30, 190), (30, 230, 255))

_WORDS = {
    "neon": "neon|cyber|네온|사이버",
    "pastel": "pastel|soft|spring|dreamy|cute|lovely|glass skin|skincare|파스텔|봄|몽환|청순|사랑스|스킨케어|물광",
    "night": f"night|midnight|moon|starry|{_ALONE.format('밤')}|밤하늘|밤거리|심야|달빛|별빛|야경",
    "snow": "snow|winter|ice|frost|눈이|눈 내리|눈꽃|설원|겨울|얼음",
    "rain": f"rain|storm|wet|{_ALONE.format('비')}|비가|빗속|빗방울|장마|폭우",
    "confetti": "confetti|party|festival|finale|encore|꽃가루|축제|앙코르|파티",
    "glitter": "glitter|sparkl|shin(?:y|ing)|sequin|글리터|반짝|시퀸|스팽글",
    "city": "city|street|seoul|tokyo|downtown|urban|rooftop|도시|거리|서울|골목|옥상|야경|홍대|강남",
    "beach": "beach|sea|ocean|summer|wave|바다|해변|해운대|여름|파도",
    "forest": "forest|tree|nature|garden|mountain|숲|나무|자연|정원|산속",
    "bust": "portrait|face|close-?up|makeup|make-up|skin|beauty|lip|hair|eyes|headshot|selfie|"
    "얼굴|메이크업|화장|피부|뷰티|립|머리|눈빛|클로즈업|셀카",
    "group": "group|members|team|squad|girls|boys|band|crew|choreo|dance|"
    "그룹|밴드|멤버|단체|걸그룹|보이그룹|군무|댄스|안무",
    "solo": "solo|singer|stage|concert|idol|performer|outfit|mic|솔로|가수|무대|콘서트|아이돌|의상|공연|마이크",
    "light": "abstract|texture|pattern|product|bottle|lipstick|perfume|silk|liquid|wallpaper|logo|"
    "추상|질감|패턴|제품|향수|립스틱|실크|배경화면|로고",
}
_COMPOSITIONS: tuple[Composition, ...] = ("light", "bust", "group", "solo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mood:
    composition: Composition
    place: Place
    first: Colour
    second: Colour
    sky: tuple[Colour, Colour, Colour]
    shade: Colour
    is_light: bool
    weather: frozenset[str]
    named: tuple[Colour, ...]


def read_mood(prompt: str, random: Random) -> Mood:
    text = prompt.casefold()
    said = {name for name, words in _WORDS.items() if _says(text, words)}
    named = tuple(colour for words, colour in _COLOUR_WORDS if _says(text, words))
    first, second = _choose_accents(named, said, random)
    is_light = "pastel" in said and not said & {"night", "neon"}
    return Mood(
        composition=_choose_composition(said, random),
        place=_choose_place(said),
        first=first,
        second=second,
        sky=_light_sky(first, second) if is_light else _dark_sky(first, second),
        shade=mix(_darken(first, 0.26), (40, 22, 60), 0.5)
        if is_light
        else mix(_darken(second, 0.07), (6, 6, 14), 0.5),
        is_light=is_light,
        weather=frozenset(said & {"snow", "rain", "confetti", "glitter", "neon"}),
        named=named,
    )


def _says(text: str, words: str) -> bool:
    return any(
        re.search(rf"\b(?:{word})" if word.isascii() else word, text) is not None for word in _split(words)
    )


def _split(words: str) -> list[str]:
    return re.split(r"\|(?![^(]*\))", words)


def _choose_accents(named: tuple[Colour, ...], said: set[str], random: Random) -> tuple[Colour, Colour]:
    duo = _NEON if "neon" in said else random.choice(_DUOS)
    if len(named) >= 2:
        return named[0], named[1]
    if named:
        far = max(duo, key=lambda colour: sum(abs(a - b) for a, b in zip(colour, named[0], strict=True)))
        return named[0], mix(far, named[0], 0.25)
    return duo if random.random() < 0.5 else (duo[1], duo[0])


def _choose_composition(said: set[str], random: Random) -> Composition:
    for name in _COMPOSITIONS:
        if name in said:
            return name
    return random.choice(_COMPOSITIONS)


def _choose_place(said: set[str]) -> Place:
    if "beach" in said:
        return "beach"
    if "forest" in said:
        return "forest"
    return "city" if "city" in said else "stage"


def _dark_sky(first: Colour, second: Colour) -> tuple[Colour, Colour, Colour]:
    return _darken(second, 0.2), _darken(mix(first, second, 0.55), 0.42), _darken(first, 0.66)


def _light_sky(first: Colour, second: Colour) -> tuple[Colour, Colour, Colour]:
    return (
        mix(second, (255, 255, 255), 0.62),
        mix(first, (255, 255, 255), 0.72),
        mix(first, (255, 236, 220), 0.55),
    )


def mix(colour: Colour, other: Colour, share: float) -> Colour:
    """`share` of the other colour, from 0 to 1."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def _darken(colour: Colour, value: float) -> Colour:
    """The same hue at this brightness, a little richer, so that dark never means grey."""
    hue, saturation, _ = colorsys.rgb_to_hsv(*(part / 255 for part in colour))
    red, green, blue = colorsys.hsv_to_rgb(hue, min(1.0, saturation * 1.1 + 0.08), value)
    return round(red * 255), round(green * 255), round(blue * 255)
