"""Every word a person reads exists in both languages and shows names as they are."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.delivery import texts
from bridge.domain.delivery.texts import Language, format_evidence_step, format_rule, format_text
from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.routing.decision import EvidenceStep, Finding, Rule

LANGUAGES: tuple[Language, ...] = ("ru", "en")
KINDS = [kind.name.lower() for kind in CandidateKind]


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("lang", LANGUAGES)
@given(
    who=st.text(max_size=8).map("{{{}}}".format),
    detail=st.text(max_size=8).map("{{{}}}".format),
    kind=st.sampled_from(KINDS),
)
def test_every_finding_is_a_sentence_that_shows_names_as_they_are(
    lang: Language, who: str, detail: str, kind: str
) -> None:
    for finding in Finding:
        owner = finding in (Finding.CANDIDATE, Finding.CANDIDATE_ENDED)

        text = format_evidence_step(lang, EvidenceStep(finding, who, kind if owner else detail))

        blank = format_evidence_step(
            lang, EvidenceStep(finding, "\ue000", kind if owner else "\ue001")
        )
        assert blank.strip()
        assert not set("{}") & set(blank)
        assert text == blank.translate({0xE000: who, 0xE001: detail})


@pytest.mark.parametrize("finding", Finding)
def test_both_languages_have_the_same_meaning(finding: Finding) -> None:
    step = EvidenceStep(finding, "КТО", "contact")

    russian, english = format_evidence_step("ru", step), format_evidence_step("en", step)

    assert russian != english
    assert russian.isascii() is False
    assert ("КТО" in russian) == ("КТО" in english)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("rule", Rule)
def test_every_rule_has_a_name(rule: Rule, lang: Language) -> None:
    assert format_rule(lang, rule)


def test_no_two_rules_are_named_alike() -> None:
    for lang in LANGUAGES:
        assert len({format_rule(lang, rule) for rule in Rule}) == len(Rule)


@pytest.mark.parametrize("key", sorted(texts._TEXTS))  # noqa: SLF001 - no text may be forgotten
def test_both_languages_ask_for_the_same_fields(key: str) -> None:
    russian, english = texts._TEXTS[key]  # noqa: SLF001

    assert placeholders(russian) == placeholders(english)
    fields = dict.fromkeys(placeholders(russian), "{имя}")
    assert format_text("ru", key, **fields) != format_text("en", key, **fields)


@pytest.mark.parametrize(("lang", "kind_name"), [("ru", "партнёр"), ("en", "partner")])
def test_a_candidate_is_named_with_what_he_is(lang: Language, kind_name: str) -> None:
    text = format_evidence_step(lang, EvidenceStep(Finding.CANDIDATE, "ООО Ромашка", "partner"))

    assert "ООО Ромашка" in text
    assert kind_name in text
