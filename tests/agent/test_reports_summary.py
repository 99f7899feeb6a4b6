"""The page to read aloud: an incident on one page."""

import pytest
from reports_shop import in_, opened, stored

from agent.reports.summary import summary_lines
from config.text import LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_summary_says_what_when_impact_done_and_due_on_one_page(tmp_path, language):
    with opened(tmp_path) as agent:
        incident = stored(agent)
        lines = summary_lines(agent, incident, agent.now(), in_(language, agent))
        assert len(lines) <= 20
        assert sum(map(len, lines)) < 2400
        said = "\n".join(lines)
        for part in (incident.id, "测试门店", "有人在拷贝会员名单", "300"):
            assert part in said
        assert in_(language, agent).text("reports.assists") in said
