"""The twenty-one contract cases of the OData dossier, one test each, in its order."""

import base64

import pytest

from bridge.lab.onec.infobase.infobase import CONTACT_KINDS, ORDERS, PARTNERS, PHONE_CALLS
from bridge.lab.onec.simulator import OneCLab
from tests.lab.onec.onec_client import NOWHERE, OneCClient, error_of, open_lab

pytestmark = pytest.mark.anyio


@pytest.fixture
def onec() -> OneCClient:
    return open_lab()


async def test_an_empty_composition_is_an_empty_root(onec: OneCClient) -> None:
    onec.lab.switches.composition = set()

    root = await onec.get("/")

    assert (root.status_code, root.json()["value"]) == (200, [])


async def test_an_unpublished_set_is_code_8(onec: OneCClient) -> None:
    status, code, text = error_of(await onec.get("/Catalog_НетТакого"))

    assert (status, code) == (404, "8")
    assert "Catalog_НетТакого" in text


async def test_an_unknown_key_is_code_9(onec: OneCClient) -> None:
    status, code, text = error_of(await onec.get(f"/{PARTNERS}(guid'{NOWHERE}')"))

    assert (status, code) == (404, "9")
    assert PARTNERS in text


async def test_an_unknown_field_in_select_is_code_6_with_its_name(onec: OneCClient) -> None:
    refused = error_of(await onec.get(f"/{PARTNERS}", "$select=Нет"))

    assert refused == (400, "6", "Сегмент пути Нет не найден!")


async def test_a_plus_in_a_filter_is_no_space(onec: OneCClient) -> None:
    status, code, text = error_of(await onec.get(f"/{PARTNERS}", "$filter=Code+eq+'1'"))

    assert (status, code) == (500, "-1")
    assert "ГДЕ" in text


async def test_references_have_no_order_in_a_filter(onec: OneCClient) -> None:
    response = await onec.get(f"/{PARTNERS}", f"$filter=Ref_Key gt guid'{NOWHERE}'")

    status, code, text = error_of(response)
    assert (status, code) == (500, "-1")
    assert "Нельзя сравнивать поля неограниченной длины" in text


async def test_inlinecount_is_a_string_beside_one_row(onec: OneCClient) -> None:
    page = (await onec.get(f"/{PARTNERS}", "$inlinecount=allpages", "$top=1")).json()

    assert page["odata.count"] == "63"
    assert len(page["value"]) == 1


async def test_count_is_a_bare_number_after_a_bom(onec: OneCClient) -> None:
    response = await onec.get(f"/{PARTNERS}/$count")

    assert response.content.decode() == "\ufeff63"
    assert response.headers["content-type"].startswith("text/plain")


async def test_without_a_format_it_is_atom(onec: OneCClient) -> None:
    response = await onec.get(f"/{PARTNERS}", "$top=1", json=False)

    assert response.headers["content-type"].startswith("application/atom+xml")
    assert "<m:properties>" in response.text


async def test_a_stale_if_match_is_applied_all_the_same(onec: OneCClient) -> None:
    ref = await onec.a_call()
    before = (await onec.get(f"/{PHONE_CALLS}(guid'{ref}')")).json()["DataVersion"]

    first = await onec.patch(PHONE_CALLS, ref, {"Тема": "а"}, **{"If-Match": "AAAAAAAAAH8="})

    assert first.status_code == 200
    assert before == "AAAAAAAAAAA="
    assert first.json()["DataVersion"] == "AAAAAAAAAAE="
    assert "etag" not in first.headers


async def test_an_unknown_field_is_ignored_and_bumps_the_version(onec: OneCClient) -> None:
    ref = await onec.a_call()

    response = await onec.patch(PHONE_CALLS, ref, {"НетПоля": 1})

    assert response.status_code == 200
    assert response.json()["DataVersion"] == "AAAAAAAAAAE="


async def test_rows_without_line_numbers_change_nothing(onec: OneCClient) -> None:
    ref = onec.a_partner()
    before = onec.lab.infobase.row(PARTNERS, ref)

    response = await onec.patch(
        PARTNERS, ref, {"КонтактнаяИнформация": [{"Представление": "+7 495 000-00-00"}]}
    )

    assert error_of(response)[:2] == (500, "-1")
    assert onec.lab.infobase.row(PARTNERS, ref) == before


async def test_a_reminder_is_200_and_its_repeat_400(onec: OneCClient) -> None:
    call = await onec.a_call()

    first, second = await onec.remind(call), await onec.remind(call)

    assert first.status_code == 200
    assert error_of(second)[:2] == (400, "15")
    assert len(onec.lab.reminders()) == 1


async def test_a_document_is_201_with_a_raw_utf8_location(onec: OneCClient) -> None:
    response = await onec.post(PHONE_CALLS, {"Тема": "Звонок"})

    location = dict(response.headers.raw)[b"location"]
    ref = response.json()["Ref_Key"]
    assert response.status_code == 201
    assert location.decode().endswith(f"/{PHONE_CALLS}(guid'{ref}')")
    assert max(location) > 127


async def test_a_get_of_post_posts_a_postable_document(onec: OneCClient) -> None:
    onec.lab.switches.published_extras = {ORDERS}
    ref = (await onec.post(ORDERS, {})).json()["Ref_Key"]

    response = await onec.get(f"/{ORDERS}(guid'{ref}')/Post")

    assert (response.status_code, response.content) == (200, b"")
    assert (await onec.get(f"/{ORDERS}(guid'{ref}')")).json()["Posted"] is True


async def test_blocked_sessions_are_403_exception_json_with_a_bom(onec: OneCClient) -> None:
    onec.lab.faults.add("sessions_blocked", text="Обновление до 12:00")

    response = await onec.get(f"/{PARTNERS}")

    assert response.status_code == 403
    assert response.content.startswith(b"\xef\xbb\xbf")
    assert "#exception" in response.text
    assert "Обновление до 12:00" in response.text


async def test_a_folder_has_nulls_where_only_items_have_values(onec: OneCClient) -> None:
    rows = await onec.rows(f"/{CONTACT_KINDS}", "$filter=IsFolder eq true")

    assert rows
    assert all(row["Тип"] is None and row["Используется"] is None for row in rows)
    assert all(row["Description"] and row["Представления"] == [] for row in rows)


async def test_an_unpublished_type_is_an_unavailable_entity(onec: OneCClient) -> None:
    await onec.a_call(АбонентКонтакт=onec.a_partner(), АбонентКонтакт_Type=_type(PARTNERS))
    onec.lab.switches.unpublished = {PARTNERS}

    (row,) = await onec.rows(f"/{PHONE_CALLS}")

    assert row["АбонентКонтакт_Type"].startswith("UnavailableEntities.UnavailableEntity_")


async def test_ordering_by_a_reference_orders_by_what_it_shows(onec: OneCClient) -> None:
    rows = await onec.rows(f"/{PARTNERS}", "$orderby=Ref_Key", "$select=Ref_Key,Description")

    names = [row["Description"].casefold() for row in rows]
    assert names == sorted(names)
    assert [row["Ref_Key"] for row in rows] != sorted(row["Ref_Key"] for row in rows)


async def test_expand_without_its_field_in_select_is_silently_skipped(onec: OneCClient) -> None:
    expand = "$expand=ОсновнойМенеджер"

    without = await onec.rows(f"/{PARTNERS}", "$select=Ref_Key", expand, "$top=1")
    chosen = "$select=Ref_Key,ОсновнойМенеджер/Description"
    with_it = await onec.rows(f"/{PARTNERS}", chosen, expand)

    assert set(without[0]) == {"Ref_Key"}
    assert any((row["ОсновнойМенеджер"] or {}).get("Description") for row in with_it)


async def test_a_long_key_segment_is_the_web_servers_html_400(onec: OneCClient) -> None:
    response = await onec.get(f"/{PARTNERS}(Ref_Key='{'я' * 240}')")

    assert response.status_code == 400
    assert "Invalid URL" in response.text
    assert response.headers["content-type"].startswith("text/html")


# ------------------------------------------------------------------ credentials


@pytest.mark.parametrize(
    "pair",
    ["Обмен:другой".encode(), "Обмен:секрет-1с".encode("cp1251"), b"admin:admin"],
    ids=["wrong password", "cp1251", "wrong user"],
)
async def test_only_utf8_credentials_are_let_in(onec: OneCClient, pair: bytes) -> None:

    basic = f"Basic {base64.b64encode(pair).decode()}"

    response = await onec.http.get(f"/{PARTNERS}", headers={"authorization": basic})

    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Basic")


async def test_httpx_credentials_are_let_in(onec: OneCClient) -> None:
    del onec.http.headers["authorization"]

    response = await onec.http.get(f"/{PARTNERS}?$top=1", auth=("Обмен", "секрет-1с"))

    assert response.status_code == 200


async def test_the_publication_has_its_own_path(onec: OneCClient) -> None:
    lab = OneCLab(onec.lab.infobase, publication="/base/trade")

    assert lab.root == "/base/trade/odata/standard.odata"
    assert (await onec.http.get("http://1c.test/elsewhere")).status_code == 404


def _type(set_name: str) -> str:
    return f"StandardODATA.{set_name}"


async def test_every_request_stands_in_the_journal(onec: OneCClient) -> None:
    await onec.get(f"/{PARTNERS}", "$top=1")
    await onec.a_call()

    first, second = onec.lab.request_log

    assert (first.method, first.set, first.status) == ("GET", PARTNERS, 200)
    assert first.bytes > 100
    assert (second.method, second.set, second.status) == ("POST", PHONE_CALLS, 201)
    assert onec.lab.request_counts["GET", PARTNERS] == 1
