"""A large company by formula: every partner, number and name is computed from a count."""

from collections.abc import Iterator

from bridge.domain.directory.entities import Manager, Partner, PhoneField, Ref, Version
from bridge.domain.phone.phone import ParsedPhone, PhoneNumber

MANAGERS = 50

#: Prime to 10^9, so that counts become distinct and scattered numbers.
_SCATTER = 387_420_489

_FIRST = ("Альфа", "Вектор", "Гранит", "Дельта", "Заря", "Импульс", "Каскад", "Лидер", "Магнит")
_SECOND = ("Строй", "Торг", "Снаб", "Сервис", "Проект", "Ресурс", "Логистик", "Монтаж")
_FORM = ("ООО", "АО", "ПАО", "ИП")


def ref_of(kind: int, count: int) -> Ref:
    """Return the reference of the *count*-th object of a kind."""
    scattered = (count * 2_654_435_761 + kind) % (1 << 32)
    return Ref(f"{scattered:08x}-0000-4000-8{kind:03x}-{count:012x}")


def number_of(count: int) -> PhoneNumber:
    """Return the *count*-th number: a Russian mobile, scattered over the whole range."""
    return PhoneNumber(79_000_000_000 + (count * _SCATTER + 12_345) % 1_000_000_000)


def version_of(count: int) -> Version:
    """Return a version as 1C writes it: eight bytes in base64."""
    return Version(f"AAAA{count:07d}=")


def name_of(count: int) -> str:
    """Name a partner."""
    first, second = _FIRST[count % len(_FIRST)], _SECOND[count // 9 % len(_SECOND)]
    return f"{first}{second}-{count} {_FORM[count // 72 % len(_FORM)]}"


def typed(number: PhoneNumber) -> str:
    """Write a number as 1C assembles it."""
    digits = str(number)
    return f"+7 ({digits[1:4]}) {digits[4:7]}-{digits[7:9]}-{digits[9:]}"


def managers() -> Iterator[Manager]:
    """Compose the managers; each has an extension."""
    for count in range(MANAGERS):
        name = f"Менеджер Номер {count}"
        yield Manager(ref_of(1, count), version_of(count), name, extension=str(200 + count))


def partners(count: int, numbers_each: int) -> Iterator[Partner]:
    """Compose partners one by one, so that only the store's own memory counts."""
    owners = [ref_of(1, manager) for manager in range(MANAGERS)]
    for at in range(count):
        numbers = [number_of(at * numbers_each + place) for place in range(numbers_each)]
        yield Partner(
            ref_of(2, at),
            version_of(at),
            name_of(at),
            f"00-{at:08d}",
            None,
            owners[at % MANAGERS],
            True,
            False,
            False,
            tuple([PhoneField(typed(n), (ParsedPhone(n),)) for n in numbers]),
        )
