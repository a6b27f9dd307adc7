"""Rules for what has a form: numbers with a checksum first, then e-mail, addresses of machines, telephones.

Card: Luhn, ISO/IEC 7812-1 annex B, behind an issuer's prefix. IBAN: ISO 13616, mod 97-10. US routing number: ABA,
weights 3-7-1. US social security number: no checksum exists; areas, groups and serials that were never given are left
out.
Blanks, hyphens, dots and line breaks may stand inside a number. Every pattern takes time in proportion to the text.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from tasks.privacy.spans import CARD, EMAIL, IBAN, IP, PHONE, ROUTING, SSN, Found, settled

GAP = r"[\s.\-]{1,4}"  # what may stand between the groups of a number
GROUPS = re.compile(rf"(?<!\d)\d{{1,34}}(?:{GAP}\d{{1,34}})*(?!\d)")
GROUP = re.compile(r"\d+")
MOST_GROUPS = 7  # of a card; more only where they are single digits
CARDS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|095|[689]\d)\d{11,16}|35\d{14}|(?:1800|2131)\d{11}"
    r"|6(?:011|4[4-9]\d|5\d\d)\d{12,15}|62\d{14,17}|(?:50|5[6-9]|6\d)\d{10,17}"
)
_IBANS = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18
FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20
LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24
SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""
LENGTHS = {pair[:2]: int(pair[2:]) for pair in _IBANS.split()}
IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}(?:[\s.\-]{0,4}\d){2}(?=[\s.\-]{0,4}[A-Za-z0-9])")
AFTER_GAP = re.compile(r"[\s.\-]{0,4}([A-Za-z0-9])")
MAIL = re.compile(
    r"(?<![\w.+%-])[\w.+%'-]{1,64}(?:@|\s?[(\[]\s?at\s?[)\]]\s?)"
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?(?:\.|\s?[(\[]\s?dot\s?[)\]]\s?)){1,8}[^\W\d_]{2,24}(?![\w@])",
    re.IGNORECASE,
)
IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
SOCIAL = re.compile(
    r"(?<![\d-])(\d{3})(-\s{0,3}|[\s.]{1,4})(\d{2})(-\s{0,3}|[\s.]{1,4})(\d{4})(?![\d-])|(?<!\d)\d{9}(?!\d)"
)
OF_SOCIAL = re.compile(r"(?<![^\W_])(?:ssn|social[\s_]+security|itin|tax[\s_]+(?:id|number))(?![^\W_])", re.IGNORECASE)
NINE = re.compile(r"(?<![\d.,-])\d{4}[\s-]?\d{4}[\s-]?\d(?![\d-]|[.,]\d)|(?<![\d.,-])\d{9}(?![\d-]|[.,]\d)")
OF_ROUTING = re.compile(r"(?<![^\W_])(?:routing|aba|rtn|transit)(?![^\W_])", re.IGNORECASE)
OF_BANK = re.compile(r"(?<![^\W_])(?:wire|ach|bank|transfer|account|pay|send|to)(?![^\W_])", re.IGNORECASE)
NUMBER = re.compile(
    r"(?<![\w.,+$€£%])\+?(?:\(\d{1,5}\)|\d{1,15})(?:[\s./\-]{1,3}\d{1,15}|[\s./\-]{0,3}\(\d{1,5}\)|(?<=\))\d{1,15}){0,7}"
    r"(?![\w%]|[.,]\d)"
)
AMERICAN = re.compile(r"(?:\+?1[\s.-]?)?(?:\([2-9]\d\d\)\s?|[2-9]\d\d[-.\s])[2-9]\d\d[-.\s]\d{4}")
OF_PHONE = re.compile(
    r"(?<![^\W_])(?:phones?|telephones?|tel|mobile|cell|fax|call(?:ed|s|ing)?|ring|rang|dial|reach(?:ed)?|contact|answer(?:ing|ed)?|hotline"
    r"|whats\s?app|text\s+me|sms|number\s+is)(?![^\W_])",
    re.IGNORECASE,
)
DATE = re.compile(
    r"(?:(?:19|20)\d\d[-./](?:0?[1-9]|1[0-2])[-./](?:[0-2]?\d|3[01])|(?:[0-2]?\d|3[01])[-./](?:[0-2]?\d|3[01])[-./](?:19|20)?\d\d)"
    r"(?:\s+\d{1,2})?"
)
BEFORE = 48  # characters in which a word says what a number is


def ruled(text: str) -> list[Found]:
    """What the rules find in a plain text, none over another."""
    finders = (_cards, _ibans, _social, _routing, _mails, _machines, _phones)
    return settled(found for finder in finders for found in finder(text))


def luhn(digits: str) -> bool:
    """Whether the last digit is the one that Luhn's sum asks for."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def mod_97(iban: str) -> bool:
    """Whether an IBAN without blanks has the length of its country and leaves one over 97."""
    if LENGTHS.get(iban[:2].upper()) != len(iban):
        return False
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1


def aba(digits: str) -> bool:
    """Whether nine digits are a US routing number: a district that exists, and the weighted sum."""
    district = int(digits[:2])
    if not (district <= 12 or 21 <= district <= 32 or 61 <= district <= 72 or district == 80) or int(digits) == 0:
        return False
    return sum(weight * int(digit) for weight, digit in zip((3, 7, 1) * 3, digits, strict=True)) % 10 == 0


def _cards(text: str) -> Iterator[Found]:
    for run in GROUPS.finditer(text):
        if run.end() - run.start() < 12:
            continue
        groups = [match.span() for match in GROUP.finditer(text, run.start(), run.end())]
        first = 0
        while first < len(groups):
            last = _card_from(text, groups, first)
            if last is not None:
                yield Found(groups[first][0], groups[last][1], CARD, 0.99, "checksum")
            first = first + 1 if last is None else last + 1


def _card_from(text: str, groups: list[tuple[int, int]], first: int) -> int | None:
    """The last group of the longest card number that starts with a group."""
    digits, found, single = "", None, True
    for last in range(first, len(groups)):
        start, end = groups[last]
        digits += text[start:end]
        single = single and end - start == 1
        if len(digits) > 19 or (last - first >= MOST_GROUPS and not single):
            break
        if len(digits) >= 12 and CARDS.fullmatch(digits) and len(set(digits)) > 1 and luhn(digits):
            found = last
    return found


def _ibans(text: str) -> Iterator[Found]:
    for start in IBAN_START.finditer(text):
        length = LENGTHS.get(start.group()[:2].upper())
        letters, end = re.sub(r"[\s.\-]", "", start.group()), start.end()
        while length is not None and len(letters) < length and (following := AFTER_GAP.match(text, end)):
            letters += following.group(1)
            end = following.end()
        if length == len(letters) and not text[end : end + 1].isalnum() and mod_97(letters):
            yield Found(start.start(), end, IBAN, 0.99, "checksum")


def _social(text: str) -> Iterator[Found]:
    for match in SOCIAL.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        given = digits[:3] not in {"000", "666"} and digits[3:5] != "00" and digits[5:] != "0000"
        hyphens = match[2] is not None and match[2].startswith("-") and match[4].startswith("-")
        said = OF_SOCIAL.search(text, max(0, match.start() - BEFORE), match.start())
        if given and (hyphens or said):
            yield Found(match.start(), match.end(), SSN, 0.95 if said else 0.9, "rule")


def _routing(text: str) -> Iterator[Found]:
    for match in NINE.finditer(text):
        if aba(re.sub(r"\D", "", match.group())):
            said, bank = (
                word.search(text, max(0, match.start() - BEFORE), match.start()) for word in (OF_ROUTING, OF_BANK)
            )
            sure = 0.98 if said else 0.6 if bank else 0.4  # 4 % of all numbers of nine digits keep the sum
            yield Found(match.start(), match.end(), ROUTING, sure, "checksum" if said else "rule")


def _mails(text: str) -> Iterator[Found]:
    for match in MAIL.finditer(text):
        yield Found(match.start(), match.end(), EMAIL, 0.99, "rule")


def _machines(text: str) -> Iterator[Found]:
    for pattern in (IPV4, IPV6):
        for match in pattern.finditer(text):
            try:
                ipaddress.ip_address(match.group())
            except ValueError:
                continue
            if match.group() != "::":
                yield Found(match.start(), match.end(), IP, 0.95, "rule")


def _phones(text: str) -> Iterator[Found]:
    for match in NUMBER.finditer(text):
        number = match.group()
        digits, groups = re.sub(r"\D", "", number), GROUP.findall(number)
        if not 6 <= len(digits) <= 15 or DATE.fullmatch(number):
            continue
        said = OF_PHONE.search(text, max(0, match.start() - BEFORE), match.start())
        if number.startswith("+") and len(digits) >= 8:
            sure = 0.97
        elif AMERICAN.fullmatch(number):
            sure = 0.9
        elif said:
            sure = 0.8
        else:
            sure = _bare(number, groups, digits)
        if sure:
            yield Found(match.start(), match.end(), PHONE, sure, "rule")


def _bare(number: str, groups: list[str], digits: str) -> float:
    """How sure a number without a word before it is a telephone's: by a leading nought, brackets, or its grouping."""
    if digits[0] == "0" and len(groups) > 1 and 8 <= len(digits) <= 14:
        return 0.7
    if "(" in number and len(groups) > 1 and 7 <= len(digits) <= 12:
        return 0.7
    years = all(len(group) == 4 and group[:2] in ("19", "20") for group in groups)
    if years:
        return 0.0
    return 0.55 if "-" in number and len(groups) > 2 and 7 <= len(digits) <= 12 and "." not in number else 0.0
