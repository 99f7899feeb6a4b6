"""The list of vendors, who may do what with it, the canaries of the settings, and a vendor's key."""

import pytest
from vendor_shop import RECOVERY, ask, descriptors, opened

from agent.vendors import ending, operations, sharing, tracing, windows
from agent.vendors.opening import make_key, read_key, read_public
from agent.vendors.store import vendors
from config.errors import RefusedError, UsageError
from config.identity import encode_public
from config.schema import Settings


def test_a_list_of_vendors_is_imported_and_bad_rows_are_named(tmp_path):
    listed = tmp_path / "服务商.csv"
    listed.write_bytes(
        "服务商名称,服务内容,联系人,电话,合同编号,合同起,合同止,报告时限,审计权\n"
        "测试快印,印刷,王测试,021-5555,HT-9,2026/1/1,2026年12月31日,24,是\n"
        "样例外卖,配送,,,,,,,\n"
        ",没有名字,,,,,,,\n"
        "坏日期公司,x,,,HT-2,2026-02-31,2026-12-31,,\n".encode("gb18030")
    )
    with opened(tmp_path) as (agent, _clock):
        with descriptors(listed) as found:
            answer = ask(agent, operations.import_list, {"name": listed.name}, found)
        assert answer.exit_code == 3
        assert [refused["row"] for refused in answer.document["refused"]] == [3, 4]
        known = {vendor.name: vendor for vendor in vendors(agent).all()}
        assert set(known) == {"测试快印", "样例外卖"}
        (contract,) = known["测试快印"].contracts
        assert (contract.begins, contract.ends, contract.report_hours, contract.audit_right) == (
            "2026-01-01", "2026-12-31", 24, True,
        )  # fmt: skip
        with descriptors(listed) as found:
            assert ask(agent, operations.import_list, {"name": listed.name}, found).document["added"] == []


def test_roles_decide_who_may_what(tmp_path):
    with opened(tmp_path) as (agent, _clock):
        for function, arguments in (
            (operations.add, {"name": "x"}), (ending.end, {}), (tracing.trace, {}), (windows.let_in, {}),
            (sharing.share, {}), (operations.list_vendors, {}),
        ):  # fmt: skip
            with pytest.raises(RefusedError, match="none of the roles"):
                ask(agent, function, arguments, user="nobody")


def test_settings_of_canaries_are_checked(tmp_path):
    with pytest.raises(ValueError, match="entry 2 is no telephone number"):
        Settings.model_validate({"vendors": {"canary_phones": ["13900000001", "abc"]}})
    with pytest.raises(ValueError, match="entry 2 stands there twice"):
        Settings.model_validate({"vendors": {"canary_phones": ["139 0000 0001", "139-00000001"]}})
    with pytest.raises(ValueError, match="no mailbox"):
        Settings.model_validate({"vendors": {"canary_emails": ["chain.example"]}})


def test_a_vendors_key_is_made_once_and_its_public_file_is_read_back(tmp_path):
    identity, public = make_key(tmp_path / "v.key")
    assert (tmp_path / "v.key").stat().st_mode & 0o777 == 0o600
    assert read_key(tmp_path / "v.key") == identity
    assert read_public(public.read_text(), "x") == encode_public(identity.public)
    with pytest.raises(RefusedError, match="already"):
        make_key(tmp_path / "v.key")
    with pytest.raises(UsageError, match="id line"):
        read_public(public.read_text().replace(identity.id, "0" * 16), "x")
    (tmp_path / "r.key").write_text(RECOVERY.sheet())
    with pytest.raises(UsageError, match="recovery key"):
        read_key(tmp_path / "r.key")
