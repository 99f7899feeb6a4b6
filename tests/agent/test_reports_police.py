"""The package and the report for the police: any change shows, and so does a gap between two hands."""

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile

from reports_shop import FOUND, PLANTED, in_, opened, stored, words_of

from agent.documents.model import Table
from agent.incident.course import Course
from agent.incident.declare import Declaration, declare
from agent.incident.store import incidents
from agent.logistics.state import logistics_of
from agent.reports.dossier import gather
from agent.reports.police import PoliceReport, make_package
from scanners.identity import Identities
from scanners.records import Finding, Item


def declared_on_disk(agent, tmp_path):
    share = tmp_path / "share"
    share.mkdir()
    path = share / f"{PLANTED}.csv"
    path.write_text(f"测试甲,{PLANTED}\n" * 30, encoding="utf-8")
    descriptor = os.open(path, os.O_RDONLY)
    item = Item(
        path=os.fsencode(path), kind="csv", status="read", size=path.stat().st_size, level=3, score=80, persons=30,
        identity=Identities().of(descriptor, os.fstat(descriptor)),
        findings=(Finding(entity="PHONE_NUMBER", count=30, distinct=30, confidence=0.9),),
    )  # fmt: skip
    os.close(descriptor)
    agent.inventory.record_run([item], roots=[os.fsencode(share)], at=agent.now())
    declaration = Declaration(
        kind="insider", summary=f"{PLANTED} 被拷贝", discovered_at=agent.now(), by="王测试", paths=(os.fsencode(path),)
    )
    return declare(agent, declaration)


def test_the_package_for_the_police_verifies_by_itself_and_any_change_shows(tmp_path):
    with opened(tmp_path) as agent:
        incident = declared_on_disk(agent, tmp_path)
        package, facts = make_package(agent, incident.id, "王测试")
        assert facts["sha256"] == hashlib.sha256(package).hexdigest()
        assert [step.act for step in agent.timelines.steps(incident.id)][-1] == "law.police"
        folder = tmp_path / "unpacked"
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            archive.extractall(folder)
        assert PLANTED.encode() not in b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())

        def verdict():
            answer = subprocess.run(
                [sys.executable, "-B", "verify.py"], cwd=folder, capture_output=True, text=True, check=False
            )
            return answer.returncode, answer.stdout

        assert verdict()[0] == 0, verdict()
        names = [name for name in facts["files"] if name.startswith(("evidence/", "timeline/", "documents/"))]
        assert any(name.startswith("evidence/") for name in names)
        for name in ("timeline/timeline.jsonl", next(name for name in names if name.startswith("evidence/"))):
            path = folder / name
            before = path.read_bytes()
            path.chmod(0o600)
            path.write_bytes(before[:-2] + bytes([before[-2] ^ 1]) + before[-1:])
            assert verdict()[0] == 1
            path.write_bytes(before)
        (folder / "extra.txt").write_text("x")
        assert "extra.txt" in verdict()[1]


def test_a_manifest_made_anew_over_a_changed_timeline_is_told_by_the_chain(tmp_path):
    with opened(tmp_path) as agent:
        incident = stored(agent)
        package, _facts = make_package(agent, incident.id, "王测试")
        folder = tmp_path / "unpacked"
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            archive.extractall(folder)
        timeline = folder / "timeline" / "timeline.jsonl"
        timeline.write_bytes(timeline.read_bytes().replace(b"named", b"other"))
        manifest = json.loads((folder / "MANIFEST.json").read_bytes())
        manifest["files"]["timeline/timeline.jsonl"] = hashlib.sha256(timeline.read_bytes()).hexdigest()
        (folder / "MANIFEST.json").write_text(json.dumps(manifest))
        answer = subprocess.run(
            [sys.executable, "-B", "verify.py"], cwd=folder, capture_output=True, text=True, check=False
        )
        assert answer.returncode == 1
        assert "MANIFEST.json: signature" in answer.stdout
        sys.path.insert(0, str(folder))
        try:
            from verify import check_timeline

            assert "line 第 1 行: changed" in check_timeline(str(folder), str(folder / "public-key.pem"))[0][0]
        finally:
            sys.path.remove(str(folder))
            sys.modules.pop("verify", None)


def test_the_report_to_the_police_lists_whose_hands_an_object_went_through_and_marks_a_gap(tmp_path):
    with opened(tmp_path) as agent:
        incident = stored(agent)
        hands = (("王测试", "李样例", "F-01"), ("赵测试", "钱样例", "F-02"))
        for giver, taker, seal in hands:
            Course(agent, incident.id, "王测试").record(
                "logistics.custody", item="收银机硬盘", serial="SN-TEST-1", giver=giver, taker=taker,
                given_at=FOUND.isoformat(), where="二楼", condition="完好", seal=seal, gap="",
            )  # fmt: skip
        incident = incidents(agent).get(incident.id)
        dossier = gather(agent, incident, agent.now())
        chains = logistics_of(agent, incident.id).chains
        document = PoliceReport(dossier, in_("zh-CN", agent), {}, chains).build()
        (table,) = [block for block in document.blocks if isinstance(block, Table) and "实物" in block.header]
        assert table.marked == {0}
        assert "赵测试 → 钱样例" in table.rows[0][1]
        assert "原始文件未作改动" in words_of(document)
