"""The clinic's three lines in Russian and Kazakh: every type, size word, migration and interval.

English stands in `test_case_text.py`, which also tests when each sentence is said.
"""

from __future__ import annotations

from datetime import date

import pytest
from case_results import (
    FOLLOW_UP_DATE,
    UNKNOWN,
    absent,
    case_result,
    changed,
    refused,
    time_point,
)

from mri_resorb import __version__
from mri_resorb.languages import Language
from mri_resorb.model import (
    CaseResult,
    Change,
    CraniocaudalMigration,
    Estimate,
    HerniationType,
    Level,
    Migration,
    Patient,
    Remark,
    Side,
    SizeMm,
    TimePoint,
    Verdict,
)
from mri_resorb.report.case_text import case_text

RU, KK = Language.RU, Language.KK


def line(case: CaseResult, number: int, language: Language) -> str:
    """A line of the text without the word before its first colon."""
    return case_text(case, language=language).splitlines()[number].split(": ", 1)[1]


def measured(volume_cm3: float, *, detached_cm3: float, day: date = FOLLOW_UP_DATE) -> TimePoint:
    estimate = Estimate(volume_cm3, 0.9 * volume_cm3, 1.1 * volume_cm3)
    return time_point(
        day=day, volume_cm3=estimate, detached_cm3=detached_cm3, type_="sequestration"
    )


def test_whole_text_in_russian() -> None:
    baseline = time_point(
        type_="sequestration",
        migration=Migration("cranial", "right"),
        compromise_percent=45.0,
        size=SizeMm(ap=12, transverse=15, craniocaudal=23),
    )
    case = case_result(baseline=baseline, level=Level.L4_L5)
    assert case_text(case, language=RU) == (
        "Пациент: Мужчина, 50 лет\n"
        "Диагноз: большая секвестрированная грыжа межпозвонкового диска L4-L5 с правосторонней "
        "краниальной миграцией + частичный стеноз позвоночного канала. Размер - 1,2х2,3 см\n"
        "Результат: частичная резорбция грыжи. Интервал между МРТ до и после - 3 месяца "
        "(5 ноября 2018 г. - 2 февраля 2019 г.)\n"
        "Объём: 1,20 см³ (95 % интервал от 1,00 до 1,45) на 5 ноября 2018 г.; "
        "0,60 см³ (95 % интервал от 0,50 до 0,75) на 2 февраля 2019 г.\n"
        "Резорбция: 50 % (95 % интервал от 35 до 62 %)\n"
        "Вывод: уменьшение сверх погрешности измерения (резорбировано 50-100 %)\n"
        f"Определения 1, mri-resorb {__version__}. "
        "Для исследований и поддержки решений, не медицинское изделие.\n"
    )


def test_whole_text_in_kazakh() -> None:
    baseline = time_point(
        type_="sequestration",
        migration=Migration("cranial", "right"),
        compromise_percent=45.0,
        size=SizeMm(ap=12, transverse=15, craniocaudal=23),
    )
    case = case_result(baseline=baseline, level=Level.L4_L5)
    assert case_text(case, language=KK) == (
        "Пациент: Ер адам, 50 жаста\n"
        "Диагноз: L4-L5 омыртқааралық дискінің үлкен секвестрленген жарығы, оң жақтық краниалды "
        "миграциямен + омыртқа өзегінің ішінара стенозы. Өлшемі - 1,2х2,3 см\n"
        "Нәтиже: жарықтың ішінара резорбциясы. Алдыңғы және кейінгі МРТ аралығы - 3 ай "
        "(2018 ж. 5 қараша - 2019 ж. 2 ақпан)\n"
        "Көлемі: 2018 ж. 5 қараша - 1,20 см³ (95 % интервал: 1,00 … 1,45); "
        "2019 ж. 2 ақпан - 0,60 см³ (95 % интервал: 0,50 … 0,75)\n"
        "Резорбция: 50 % (95 % интервал: 35 … 62 %)\n"
        "Қорытынды: өлшеу қателігінен асатын кішірею (50-100 % резорбцияланған)\n"
        f"Анықтамалар 1, mri-resorb {__version__}. "
        "Зерттеуге және шешім қабылдауды қолдауға арналған, медициналық бұйым емес.\n"
    )


TYPES: list[tuple[HerniationType, float, str, str]] = [
    ("bulge", 10, "выбухание межпозвонкового диска L3-L4", "L3-L4 омыртқааралық дискінің томпаюы"),
    (
        "bulge",
        50,
        "большое выбухание межпозвонкового диска L3-L4 + частичный стеноз позвоночного канала",
        "L3-L4 омыртқааралық дискінің үлкен томпаюы + омыртқа өзегінің ішінара стенозы",
    ),
    (
        "bulge",
        90,
        "гигантское выбухание межпозвонкового диска L3-L4 + полный стеноз позвоночного канала",
        "L3-L4 омыртқааралық дискінің өте үлкен томпаюы + омыртқа өзегінің толық стенозы",
    ),
    (
        "protrusion",
        10,
        "протрузия межпозвонкового диска L3-L4",
        "L3-L4 омыртқааралық дискінің протрузиясы",
    ),
    (
        "protrusion",
        50,
        "большая протрузия межпозвонкового диска L3-L4 + частичный стеноз позвоночного канала",
        "L3-L4 омыртқааралық дискінің үлкен протрузиясы + омыртқа өзегінің ішінара стенозы",
    ),
    (
        "protrusion",
        90,
        "гигантская протрузия межпозвонкового диска L3-L4 + полный стеноз позвоночного канала",
        "L3-L4 омыртқааралық дискінің өте үлкен протрузиясы + омыртқа өзегінің толық стенозы",
    ),
    (
        "extrusion",
        10,
        "экструзия межпозвонкового диска L3-L4",
        "L3-L4 омыртқааралық дискінің экструзиясы",
    ),
    (
        "extrusion",
        50,
        "большая экструзия межпозвонкового диска L3-L4 + частичный стеноз позвоночного канала",
        "L3-L4 омыртқааралық дискінің үлкен экструзиясы + омыртқа өзегінің ішінара стенозы",
    ),
    (
        "extrusion",
        90,
        "гигантская экструзия межпозвонкового диска L3-L4 + полный стеноз позвоночного канала",
        "L3-L4 омыртқааралық дискінің өте үлкен экструзиясы + омыртқа өзегінің толық стенозы",
    ),
    (
        "sequestration",
        10,
        "секвестрированная грыжа межпозвонкового диска L3-L4",
        "L3-L4 омыртқааралық дискінің секвестрленген жарығы",
    ),
    (
        "sequestration",
        50,
        "большая секвестрированная грыжа межпозвонкового диска L3-L4"
        " + частичный стеноз позвоночного канала",
        "L3-L4 омыртқааралық дискінің үлкен секвестрленген жарығы"
        " + омыртқа өзегінің ішінара стенозы",
    ),
    (
        "sequestration",
        90,
        "гигантская секвестрированная грыжа межпозвонкового диска L3-L4"
        " + полный стеноз позвоночного канала",
        "L3-L4 омыртқааралық дискінің өте үлкен секвестрленген жарығы"
        " + омыртқа өзегінің толық стенозы",
    ),
]


@pytest.mark.parametrize(("type_", "compromise", "russian", "kazakh"), TYPES)
def test_types_and_size_words(
    type_: HerniationType, compromise: float, russian: str, kazakh: str
) -> None:
    case = case_result(baseline=time_point(type_=type_, compromise_percent=compromise))
    assert line(case, 1, RU) == f"{russian}. Размер - 1,2х2,3 см"
    assert line(case, 1, KK) == f"{kazakh}. Өлшемі - 1,2х2,3 см"


@pytest.mark.parametrize(
    ("direction", "side", "russian", "kazakh"),
    [
        ("none", "left", "", ""),
        ("cranial", "central", " с краниальной миграцией", ", краниалды миграциямен"),
        ("cranial", "left", " с левосторонней краниальной", ", сол жақтық краниалды"),
        ("cranial", "right", " с правосторонней краниальной", ", оң жақтық краниалды"),
        ("caudal", "central", " с каудальной миграцией", ", каудалды миграциямен"),
        ("caudal", "left", " с левосторонней каудальной", ", сол жақтық каудалды"),
        ("caudal", "right", " с правосторонней каудальной", ", оң жақтық каудалды"),
    ],
)
def test_migration(direction: CraniocaudalMigration, side: Side, russian: str, kazakh: str) -> None:
    case = case_result(baseline=time_point(migration=Migration(direction, side)))
    assert line(case, 1, RU).startswith(f"экструзия межпозвонкового диска L3-L4{russian}")
    assert line(case, 1, KK).startswith(f"L3-L4 омыртқааралық дискінің экструзиясы{kazakh}")
    assert ("миграц" in line(case, 1, RU)) == (direction != "none")
    assert ("миграц" in line(case, 1, KK)) == (direction != "none")


@pytest.mark.parametrize(
    ("first", "second", "russian", "kazakh"),
    [
        (date(2018, 11, 5), date(2019, 2, 2), "3 месяца", "3 ай"),
        (date(2018, 3, 26), date(2018, 6, 15), "2,5 месяца", "2,5 ай"),
        (date(2020, 2, 22), date(2020, 9, 26), "7 месяцев", "7 ай"),
        (date(2020, 1, 1), date(2020, 2, 1), "1 месяц", "1 ай"),
        (date(2020, 1, 1), date(2020, 2, 16), "1,5 месяца", "1,5 ай"),
        (date(2018, 1, 1), date(2019, 10, 1), "21 месяц", "21 ай"),
        (date(2020, 1, 1), date(2020, 1, 2), "1 день", "1 күн"),
        (date(2020, 1, 1), date(2020, 1, 4), "3 дня", "3 күн"),
        (date(2020, 1, 1), date(2020, 1, 13), "12 дней", "12 күн"),
    ],
)
def test_interval(first: date, second: date, russian: str, kazakh: str) -> None:
    case = case_result(baseline=time_point(day=first), follow_up=time_point(day=second))
    assert f". Интервал между МРТ до и после - {russian} (" in line(case, 2, RU)
    assert f". Алдыңғы және кейінгі МРТ аралығы - {kazakh} (" in line(case, 2, KK)


@pytest.mark.parametrize(
    ("patient", "russian", "kazakh"),
    [
        (Patient(sex="F", age_years=40), "Женщина, 40 лет", "Әйел, 40 жаста"),
        (Patient(sex="M", age_years=51), "Мужчина, 51 год", "Ер адам, 51 жаста"),
        (Patient(age_years=33), "33 года", "33 жаста"),
        (Patient(), "пол и возраст не указаны", "жынысы мен жасы көрсетілмеген"),
    ],
)
def test_patient(patient: Patient, russian: str, kazakh: str) -> None:
    case = case_result(patient=patient)
    assert line(case, 0, RU) == russian
    assert line(case, 0, KK) == kazakh


@pytest.mark.parametrize(
    ("before", "after", "russian", "kazakh"),
    [
        (
            (0.5, 1.0),
            (0.3, 0.0),
            "полная резорбция секвестра и частичная резорбция грыжи",
            "секвестрдің толық резорбциясы және жарықтың ішінара резорбциясы",
        ),
        (
            (0.5, 1.0),
            (0.0, 0.4),
            "частичная резорбция секвестра и полная резорбция грыжи",
            "секвестрдің ішінара резорбциясы және жарықтың толық резорбциясы",
        ),
        ((0.5, 1.0), (0.5, 0.0), "полная резорбция секвестра", "секвестрдің толық резорбциясы"),
        ((0.5, 0.3), (0.45, 0.25), "частичная резорбция грыжи", "жарықтың ішінара резорбциясы"),
    ],
)
def test_sequester_and_hernia(
    before: tuple[float, float], after: tuple[float, float], russian: str, kazakh: str
) -> None:
    loss = sum(before) - sum(after)
    case = case_result(
        baseline=measured(sum(before), detached_cm3=before[1], day=date(2018, 11, 5)),
        follow_up=measured(sum(after), detached_cm3=after[1]),
        change=changed(absolute_cm3=(loss, loss - 0.1, loss + 0.1)),
    )
    assert line(case, 2, RU).startswith(f"{russian}. ")
    assert line(case, 2, KK).startswith(f"{kazakh}. ")


@pytest.mark.parametrize(
    ("type_", "russian", "kazakh"),
    [
        ("bulge", "полная резорбция выбухания", "томпаюдың толық резорбциясы"),
        ("extrusion", "полная резорбция грыжи", "жарықтың толық резорбциясы"),
        (
            "sequestration",
            "полная резорбция секвестра и грыжи",
            "секвестр мен жарықтың толық резорбциясы",
        ),
    ],
)
def test_absent_at_follow_up(type_: HerniationType, russian: str, kazakh: str) -> None:
    baseline = time_point(type_=type_, detached_cm3=0.4 if type_ == "sequestration" else 0.0)
    case = case_result(
        baseline=baseline, follow_up=absent(), change=changed((96.0, 90.0, 100.0), band="complete")
    )
    assert line(case, 2, RU).startswith(f"{russian}. ")
    assert line(case, 2, KK).startswith(f"{kazakh}. ")
    assert line(case, 5, RU).endswith("(полная резорбция)")
    assert line(case, 5, KK).endswith("(толық резорбция)")
    assert "грыжи нет (ткань диска за границей 0,04 см³)" in line(case, 3, RU)
    assert "жарық жоқ (шекарадан артқы диск тіні 0,04 см³)" in line(case, 3, KK)


@pytest.mark.parametrize(
    ("type_", "russian", "kazakh"),
    [
        ("bulge", "новое выбухание", "жаңа томпаюы"),
        ("protrusion", "новая протрузия", "жаңа протрузиясы"),
        ("extrusion", "новая экструзия", "жаңа экструзиясы"),
        ("sequestration", "новая секвестрированная грыжа", "жаңа секвестрленген жарығы"),
    ],
)
def test_a_new_herniation(type_: HerniationType, russian: str, kazakh: str) -> None:
    case = case_result(
        baseline=absent(day=date(2018, 11, 5)),
        follow_up=time_point(day=FOLLOW_UP_DATE, type_=type_),
        change=Change(None, Estimate(-0.8, -1.0, -0.6), None, "increased", None),
    )
    assert line(case, 1, RU) == "в исходном исследовании грыжи межпозвонкового диска L3-L4 нет"
    assert line(case, 2, RU).startswith(f"{russian} межпозвонкового диска. ")
    assert line(case, 1, KK) == "бастапқы зерттеуде L3-L4 омыртқааралық дискінің жарығы жоқ"
    assert line(case, 2, KK).startswith(f"омыртқааралық дискінің {kazakh}. ")
    assert "исходном исследовании грыжи не было" in line(case, 4, RU)
    assert "бастапқы зерттеуде жарық болған жоқ" in line(case, 4, KK)


@pytest.mark.parametrize(
    ("verdict", "russian", "kazakh"),
    [
        (
            "no_change_beyond_error",
            "без изменений сверх погрешности измерения",
            "өлшеу қателігінен асатын өзгеріс жоқ",
        ),
        (
            "increased",
            "увеличение сверх погрешности измерения",
            "өлшеу қателігінен асатын ұлғаю",
        ),
    ],
)
def test_verdicts_without_resorption(verdict: Verdict, russian: str, kazakh: str) -> None:
    case = case_result(change=changed((12.0, -10.0, 30.0), verdict=verdict, band=None))
    assert line(case, 5, RU) == russian
    assert line(case, 5, KK) == kazakh
    for language in (RU, KK):
        assert "резорбция" not in line(case, 2, language)


def test_undetermined_says_why() -> None:
    reason = Remark("pair-misaligned", {"overlap": 0.81, "apart_mm": 2.4})
    case = case_result(follow_up=refused(found=True), change=UNKNOWN, reasons=(reason,))
    assert line(case, 2, RU).startswith(
        "не определено (Позвонки двух исследований совмещаются недостаточно точно, чтобы "
        "сравнивать фрагмент (перекрытие 0,81, расхождение границ 2,4 мм)). Интервал"
    )
    assert line(case, 2, KK).startswith("анықталмады (Екі зерттеудің омыртқалары ")
    assert line(case, 3, RU).endswith("фрагмент виден не полностью на 2 февраля 2019 г.")
    assert (line(case, 4, RU), line(case, 5, RU)) == ("не вычислена", "не определено")
    assert (line(case, 4, KK), line(case, 5, KK)) == ("есептелмеді", "анықталмады")
