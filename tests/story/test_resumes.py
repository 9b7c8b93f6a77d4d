"""Résumés say what the tables know, in many ways."""

from __future__ import annotations

import re
from pathlib import Path

import pypdfium2
import pytest

from mcp_lakehouse.story import names, wording
from mcp_lakehouse.story.certificates import CERTIFICATES
from mcp_lakehouse.story.making import make_story
from mcp_lakehouse.story.pdf import pdf
from mcp_lakehouse.story.places import STATES
from mcp_lakehouse.story.questions import SEED, expected, lacks, questions
from mcp_lakehouse.story.roles import ROLES
from mcp_lakehouse.story.workers import TODAY
from story.conftest import RESUMES, Row, Story

WRITTEN = {certificate.name: certificate.written for certificate in CERTIFICATES}


def lines_about(row: Row, certificate: str) -> list[str]:
    return [
        line
        for line in row["resume_text"].splitlines()
        if line.startswith(("Previously", "Enrolled", "Willing", *WRITTEN[certificate]))
        and any(way in line for way in WRITTEN[certificate])
    ]


def test_a_resume_has_its_sections(story: Story) -> None:
    assert len(story.resumes) == RESUMES
    for row in story.resumes[:500]:
        for section in ("summary", "experience", "education"):
            assert any(f"\n\n{heading}\n" in row["resume_text"] for heading in wording.HEADINGS[section])
        if row["certifications"]:
            assert any(f"\n\n{heading}\n" in row["resume_text"] for heading in wording.HEADINGS["certifications"])


def test_a_resume_says_who_what_and_where(story: Story) -> None:
    for row in story.resumes:
        head, text = row["resume_text"][:120], row["resume_text"].lower()
        assert head.startswith(row["name"] + "\n")
        assert f"{row['city']}, {row['state']} " in head or f"{row['city']}, {STATES[row['state']].name} " in head
        assert any(title.lower() in text for title in wording.TITLES[row["role"]])


def test_every_valid_certificate_is_in_the_resume_and_lapsed_ones_are_called_so(story: Story) -> None:
    lapsed = 0
    for row in story.resumes:
        for name in (row["certifications"] or "").split("; "):
            assert not name or lines_about(row, name)
        if "OSHA-10" not in (row["certifications"] or ""):
            for line in lines_about(row, "OSHA-10"):
                lapsed += 1
                assert re.search(r"expired|lapsed|ran out|Previously|Enrolled|booked|Willing", line)
    assert lapsed > 50


def test_jobs_follow_each_other_and_end_by_today(story: Story) -> None:
    now = TODAY.year * 12 + TODAY.month
    for row in story.resumes:
        spans = re.findall(r"(\d\d)/(\d{4}) - (?:(\d\d)/(\d{4})|Present)", row["resume_text"])
        assert spans
        newer = now
        for month, year, last_month, last_year in spans:
            begin = int(year) * 12 + int(month)
            end = int(last_year) * 12 + int(last_month) if last_year else now
            assert begin <= end <= newer
            newer = begin


def test_the_seeds_question_has_answers_and_many_near_misses(story: Story) -> None:
    right = expected(SEED, story.resumes)
    # 15,000 résumés hold five times as many.
    assert 5 < len(right) < RESUMES / 50
    missed = [lacks(SEED, row) for row in story.resumes]
    for reason in ("role", "certification", "state"):
        assert missed.count([reason]) > 10
    ways = [
        title
        for title in wording.TITLES[SEED.role]
        if any(title.lower() in r["resume_text"].lower() for r in story.resumes if r["worker_id"] in right)
    ]
    assert len(ways) > 3


def test_a_certificate_that_ran_out_or_another_one_is_no_answer() -> None:
    person = {"worker_id": "W1", "role": SEED.role, "state": "IL", "certifications": "OSHA-30; Forklift Operator"}
    assert lacks(SEED, person) == ["certification"]
    assert lacks(SEED, person | {"certifications": None, "state": "IN"}) == ["certification", "state"]
    assert expected(SEED, [person, person | {"worker_id": "W2", "certifications": "OSHA-10"}]) == {"W2"}


def test_every_question_asks_for_something_that_there_is() -> None:
    asked = questions()
    assert asked[0] is SEED
    assert len({question.text for question in asked}) == len(asked) > 20
    for question in asked:
        role = next(role for role in ROLES if role.name == question.role)
        assert question.certification in dict(role.holds)
        assert question.state in STATES
        assert question.role in question.text
        assert question.certification in question.text


def test_documents_hold_the_text(tmp_path: Path) -> None:
    made = make_story(tmp_path / "a", workers=40, resumes=12, seed=3, formats=["text", "pdf", "csv"])
    assert {(file.path, file.rows) for file in made} >= {("resumes_text", 12), ("resumes_pdf", 12), ("resumes.csv", 12)}
    texts = sorted((tmp_path / "a" / "resumes_text").iterdir())
    for path in texts:
        text = path.read_text(encoding="utf-8")
        document = pypdfium2.PdfDocument(tmp_path / "a" / "resumes_pdf" / f"{path.stem}.pdf")
        shown = " ".join(page.get_textpage().get_text_bounded() for page in document)
        document.close()
        # Lines are folded; what is read is the same words.
        assert shown.split() == text.split()


@pytest.mark.parametrize("lines", [0, 1, 47, 48, 49, 200])
def test_long_texts_go_on_over_pages(lines: int) -> None:
    document = pypdfium2.PdfDocument(pdf("\n".join(f"line {number} (with) \\ é" for number in range(lines)), "T (1)"))
    shown = "\n".join(page.get_textpage().get_text_bounded() for page in document).split("\n")
    assert len(document) == max(1, -(-lines // 48))
    assert document.get_metadata_value("Title") == "T (1)"
    assert [line.strip() for line in shown if line.strip()] == [f"line {number} (with) \\ é" for number in range(lines)]
    document.close()


def test_every_name_can_be_shown_in_a_pdf() -> None:
    for name in (*names.GIVEN, *names.FAMILY, *names.COMPANY, *names.SCHOOL):
        name.encode("cp1252")


def test_every_role_has_wording() -> None:
    for role in ROLES:
        assert set(role.before) | {role.name} <= set(wording.TITLES)
        assert set(role.before) | {role.name} <= set(wording.DUTIES)
        assert len(role.skills) == 8
