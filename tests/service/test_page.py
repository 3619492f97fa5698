"""The reader's page in Chromium: what is seen, where the brush paints, what is sent and signed."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from axe_playwright_python.sync_playwright import Axe
from browser import Reader, chromium, reader
from case_results import BASELINE_DATE, DISC_CENTRE, SPACING_MM, case_result, changed
from PIL import Image
from playwright.sync_api import Browser, Route, expect
from web_service import (
    PASSWORD,
    PATIENT_ID,
    PATIENT_NAME,
    add_account,
    add_case,
    quick_hasher,
    served,
)

from mri_resorb.correction import reviewed
from mri_resorb.io.results import Which
from mri_resorb.languages import Language, long_date, say
from mri_resorb.model import CaseResult, Estimate, Patient
from mri_resorb.outputs import DATES
from mri_resorb.service import accounts, cases, decisions
from mri_resorb.service.store import Store
from mri_resorb.service.web import corrections

VENDORED = Path(corrections.__file__).parent / "static" / "vendor"


@dataclass
class Served:
    """A service with a case, where masks are kept and not measured.

    Attributes:
        measured: the mask that was sent first for each date.
    """

    store: Store
    address: str
    case_id: str
    measured: dict[Which, nib.Nifti1Image]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    measured: dict[Which, nib.Nifti1Image] = {}

    def stand_in(
        placed: CaseResult,
        *,
        baseline_mask: Path | None,
        follow_up_mask: Path | None,
        reviewed_by: str | None,
    ) -> CaseResult:
        automatic = replace(placed, patient=Patient(PATIENT_ID, "F", 50))
        drawn = {}
        for date, path in zip(DATES, (baseline_mask, follow_up_mask), strict=True):
            point = getattr(automatic, date)
            if path is None:
                continue
            sent = nib.load(path)
            measured.setdefault(date, nib.Nifti1Image(np.asarray(sent.dataobj), sent.affine))
            fragment = replace(point.fragment, volume_cm3=Estimate(0.9, 0.7, 1.1))
            drawn[date] = replace(point, drawn=point.fragment.occupancy, fragment=fragment)
        corrected = replace(automatic, **drawn, change=changed((33, 20, 45), band="25-50"))
        return reviewed(replace(corrected, automatic=automatic), by=reviewed_by)

    monkeypatch.setattr(accounts, "_hasher", quick_hasher)
    monkeypatch.setattr(corrections.KeptCases, "placed", lambda *_: case_result())
    monkeypatch.setattr(corrections, "remeasured", stand_in)
    with served(tmp_path) as (store, host, port):
        with store.transaction() as connection:
            add_account(connection, name="reader", role="reader", password=PASSWORD)
        yield Served(store, f"http://{host}:{port}/", add_case(store), measured)


@pytest.fixture
def page(browser: Browser, service: Served) -> Iterator[Reader]:
    with reader(browser, service.address) as made:
        made.sign_in("reader", PASSWORD)
        yield made
        assert [line for line in made.heard if "401" not in line] == []
        said = " ".join([*made.heard, made.page.url, made.page.title()])
        assert not re.search(f"{PATIENT_ID}|{re.escape(PATIENT_NAME)}", said)


def turned(service: Served, date: Which, code: str, *, degrees: float) -> sitk.Image:
    """Have a date's series lie in another order of axes and askew; the image then."""
    folder = service.store.folder / "cases" / service.case_id / "job-1"
    image_path = folder / f"{date}_image.nii.gz"
    for path in (image_path, folder / f"{date}_fragment.nii.gz"):
        image = sitk.DICOMOrient(sitk.ReadImage(str(path)), code)
        turn = sitk.Euler3DTransform(DISC_CENTRE, *np.radians([degrees, degrees / 2, degrees / 3]))
        matrix = np.array(turn.GetMatrix()).reshape(3, 3)
        image.SetDirection((matrix @ np.reshape(image.GetDirection(), (3, 3))).ravel().tolist())
        image.SetOrigin(turn.TransformPoint(image.GetOrigin()))
        sitk.WriteImage(image, str(path))
    return sitk.DICOMOrient(sitk.ReadImage(str(image_path)), "PIL")  # to the back, down, left


def shown_slice(page: Reader, date: Which) -> int:
    """Number from the right, from 0."""
    words = page.page.locator(".where").nth(DATES.index(date)).inner_text()
    return int(re.search(r"\d+", words)[0]) - 1  # type: ignore[index]


def under(page: Reader, image: sitk.Image, date: Which, right: float, down: float) -> np.ndarray:
    """What lies at CSS pixels from the middle of a slice: LPS mm, by the series' own axes."""
    back, below, left = np.reshape(image.GetDirection(), (3, 3)).T
    scale = page.pixels_per_mm(date)
    in_plane = np.array(DISC_CENTRE) + (right * back + down * below) / scale
    in_slice = image.TransformIndexToPhysicalPoint((0, 0, shown_slice(page, date)))
    return in_plane + ((np.array(in_slice) - in_plane) @ left) * left


@pytest.mark.parametrize(
    ("codes", "degrees"), [(("LPS", "RAI"), 0.0), (("PIR", "SAL"), 14.0)], ids=["straight", "askew"]
)
def test_the_brush_paints_where_it_is_seen(
    service: Served, page: Reader, codes: tuple[str, str], degrees: float
) -> None:
    """In any order of the series' axes: what is seen lies there, and what is painted is sent."""
    images = {d: turned(service, d, c, degrees=degrees) for d, c in zip(DATES, codes, strict=True)}
    page.open_case(service.case_id)
    page.choose("brush")
    place = (60.0, 45.0)
    for date in DATES:
        seen = Image.open(io.BytesIO(page.stage(date).screenshot())).convert("L")
        for right, down in ((-60, 20), (-20, 60), (75, -60), (90, 70)):  # disc, body, canal, behind
            at = images[date].TransformPhysicalPointToContinuousIndex(
                under(page, images[date], date, right, down).tolist()
            )
            true = images[date].EvaluateAtContinuousIndex(at)
            grey = seen.getpixel((seen.width // 2 + right, seen.height // 2 + down))
            assert grey == pytest.approx(255 * min(true, 150) / 150, abs=30), (date, right, down)
        page.drag(date, place)
    page.page.locator("#measure").click()
    expect(page.page.locator(".comparison thead th").nth(1)).to_be_visible()

    for date in DATES:
        before = nib.load(
            service.store.folder / "cases" / service.case_id / "job-1" / f"{date}_fragment.nii.gz"
        )
        after = service.measured[date]
        np.testing.assert_array_equal(after.affine, before.affine)
        was, now = (np.asarray(of.dataobj) for of in (before, after))
        painted = np.argwhere(was != now)
        assert (now[tuple(painted.T)] == 1).all()
        middle = nib.affines.apply_affine(after.affine, painted).mean(axis=0) * (-1, -1, 1)
        wanted = under(page, images[date], date, *place)
        assert np.linalg.norm(middle - wanted) < max(SPACING_MM[:2])
        area_mm2 = len(painted) * np.prod(SPACING_MM[:2])
        assert area_mm2 == pytest.approx(np.pi * 2**2, rel=0.25)


def test_a_case_changes_before_the_readers_eyes(service: Served, page: Reader) -> None:
    state = page.row(service.case_id).locator("a")
    expect(state).to_have_text(say("page.state-measured", language=Language.EN))
    decisions.sign(service.store, service.case_id, account="b", name="B", revision=0)
    expect(state).to_have_text(say("page.state-signed", language=Language.EN))
    other = add_case(service.store)
    expect(page.row(other)).to_be_visible()


def test_a_case_that_comes_before_the_page_listens_is_shown(
    browser: Browser, service: Served
) -> None:
    """The list is made, then a case comes, and only then the line for changes is open."""
    held: list[Route] = []
    added: list[str] = []

    def list_before_it(route: Route) -> None:
        if added:
            route.continue_()
            return
        answer = route.fetch()
        added.append(add_case(service.store))
        route.fulfill(response=answer)
        for one in held:
            one.continue_()

    def line_after_it(route: Route) -> None:
        route.continue_() if added else held.append(route)

    with reader(browser, service.address) as somebody:
        somebody.page.route("**/api/cases", list_before_it)
        somebody.page.route("**/api/events", line_after_it)
        somebody.sign_in("reader", PASSWORD)
        expect(somebody.page.locator("tbody tr")).to_have_count(2)
        assert somebody.row(added[0]).is_visible()


def test_the_work_list_is_sorted_and_filtered_with_the_keyboard(
    service: Served, page: Reader
) -> None:
    other = add_case(service.store, state="failed")
    rows = page.page.locator("tbody tr")
    expect(rows).to_have_count(2)
    page.page.locator("th.state button").focus()
    page.page.keyboard.press("Enter")
    expect(page.page.locator("th.state")).to_have_attribute("aria-sort", "ascending")
    expect(rows.last).to_have_attribute("data-id", other)
    page.page.keyboard.press("Enter")
    expect(rows.first).to_have_attribute("data-id", other)
    page.page.locator("#state").select_option("measured")
    expect(rows).to_have_count(1)
    page.page.locator("#search").fill("nobody")
    expect(page.page.locator(".empty")).to_be_visible()


def test_correcting_signing_and_taking_back(service: Served, page: Reader) -> None:
    page.open_case(service.case_id)
    view = page.page
    assert page.figures(1) == ["1,20", "0,60", "50 %"]
    expect(view.locator("#sign")).to_be_enabled()

    page.choose("eraser")
    page.drag("baseline", (20, 0), (60, 0))
    expect(view.locator("#sign")).to_be_disabled()  # not before it is measured
    view.once("dialog", lambda dialog: dialog.dismiss())
    view.locator("#bar .home").click()
    expect(view.locator(".case")).to_be_visible()  # nothing is lost without a question
    view.locator("#undo").click()
    expect(view.locator("#measure")).to_be_disabled()
    page.drag("baseline", (20, 0), (60, 0))
    view.locator("#measure").click()
    expect(view.locator(".comparison thead th").nth(1)).to_be_visible()
    assert page.figures(1) == ["1,20", "0,60", "50 %"]
    assert page.figures(2) == ["0,90", "0,60", "33 %"]
    assert set(service.measured) == {"baseline"}

    view.locator("#sign").click()
    view.locator("#sign-name").fill("A. Reader")
    view.locator("dialog button[type=submit]").click()
    expect(view.locator("dialog")).to_be_visible()  # it takes a yes as well
    view.locator("#sign-accept").check()
    view.locator("dialog button[type=submit]").click()
    expect(view.locator(".signing")).to_contain_text("A. Reader")
    signed = cases.get_case(service.store, service.case_id)
    assert signed.state == "signed"
    assert signed.signature is not None
    assert (signed.signature.account, signed.signature.name) == ("reader", "A. Reader")
    expect(view.locator("#tool-brush")).to_be_disabled()

    view.locator("#reopen").click()
    view.locator("dialog button[type=submit]").click()
    expect(view.locator("#sign")).to_be_enabled()
    view.locator("#to-automatic").click()
    expect(view.locator(".comparison thead th")).to_have_count(1)
    assert page.figures(1) == ["1,20", "0,60", "50 %"]


def test_a_disc_is_pointed_at_in_the_baseline(service: Served, page: Reader) -> None:
    page.open_case(service.case_id)
    page.choose("point")
    page.drag("follow_up", (0, 0))
    expect(page.page.locator("#level-measure")).to_be_disabled()
    scale = page.pixels_per_mm("baseline")
    page.drag("baseline", (-10 * scale, 5 * scale))
    page.page.locator("#level-measure").click()
    expect(page.page.locator(".progress")).to_be_visible()
    case = cases.get_case(service.store, service.case_id)
    assert case.state == "queued"
    assert case.disc_at is not None
    left, back, up = DISC_CENTRE
    assert case.disc_at[1:] == pytest.approx((back - 10, up - 5), abs=0.5)
    assert case.disc_at[0] == pytest.approx(left, abs=SPACING_MM[2] / 2)


def test_slices_and_brush_are_moved_with_the_keyboard(service: Served, page: Reader) -> None:
    page.open_case(service.case_id)
    stage = page.stage("baseline")
    stage.focus()
    first = shown_slice(page, "baseline")
    page.page.keyboard.press("ArrowDown")
    assert shown_slice(page, "baseline") == shown_slice(page, "follow_up") == first + 1
    page.page.keyboard.press("ArrowUp")
    page.page.keyboard.press("KeyB")
    for key in ("ArrowRight", "ArrowDown", "Space"):
        page.page.keyboard.press(key)
    page.page.locator("#measure").click()
    expect(page.page.locator(".comparison thead th").nth(1)).to_be_visible()
    after = service.measured["baseline"]
    was = nib.load(
        service.store.folder / "cases" / service.case_id / "job-1" / "baseline_fragment.nii.gz"
    )
    painted = np.argwhere(np.asarray(was.dataobj) != np.asarray(after.dataobj))
    middle = nib.affines.apply_affine(after.affine, painted).mean(axis=0) * (-1, -1, 1)
    _, back, up = DISC_CENTRE
    assert middle[1:] == pytest.approx((back + SPACING_MM[0], up - SPACING_MM[1]), abs=0.5)


def test_a_distance_is_that_of_the_patient(service: Served, page: Reader) -> None:
    page.open_case(service.case_id)
    page.choose("distance")
    scale = page.pixels_per_mm("follow_up")
    page.drag("follow_up", (0, 0), (30 * scale, 40 * scale))
    words = page.page.locator("text.distance")
    expect(words).to_be_visible()
    found = float((words.text_content() or "").split()[0].replace(",", "."))
    assert found == pytest.approx(50, abs=0.5)


@pytest.mark.parametrize(
    ("language", "width", "height"), [("en", 1280, 800), ("ru", 1920, 1080), ("kk", 800, 900)]
)
def test_anybody_can_use_it(
    browser: Browser, service: Served, language: str, width: int, height: int
) -> None:
    """No violation that axe-core knows, nothing cut off, in every view."""
    with reader(
        browser, service.address, width=width, height=height, language=language
    ) as somebody:
        view = somebody.page
        view.goto(service.address)
        expect(view.locator("#name")).to_be_visible()
        assert violations(somebody) == []
        somebody.sign_in("reader", PASSWORD)
        expect(somebody.row(service.case_id)).to_be_visible()
        expect(view.locator("footer")).to_have_text(
            say("case.disclaimer", language=Language(language))
        )
        assert violations(somebody) == []
        somebody.open_case(service.case_id)
        day = long_date(BASELINE_DATE, language=Language(language))
        expect(view.locator("figcaption").first).to_contain_text(day)
        assert violations(somebody) == []
        stage = somebody.stage("baseline").bounding_box()
        assert stage is not None
        assert stage["width"] > 0.28 * width
        assert stage["height"] > 0.4 * height
        wide = "() => document.documentElement.scrollWidth - innerWidth"
        assert view.evaluate(wide) <= 0
        view.locator("#sign").click()
        assert violations(somebody) == []


def violations(somebody: Reader) -> list[str]:
    found = Axe().run(somebody.page).response["violations"]
    return [f"{one['id']}: {node['target']}" for one in found for node in one["nodes"]]


def test_the_viewer_is_the_one_that_is_named() -> None:
    said = (VENDORED / "niivue.VERSION.txt").read_text(encoding="utf-8")
    content = (VENDORED / "niivue.min.js").read_bytes()
    assert f"niivue.min.js   SHA-256 {hashlib.sha256(content).hexdigest()}" in said
    assert "BSD 2-Clause" in (VENDORED / "niivue.LICENSES.txt").read_text(encoding="utf-8")
