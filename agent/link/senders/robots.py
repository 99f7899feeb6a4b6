"""Robots of groups: WeCom, DingTalk, Feishu, and a plain webhook, by their published interfaces.

All three answer HTTP 200 with an error code inside; only `errcode` (WeCom, DingTalk) or `code` (Feishu) 0 is success.
apprise 2.3.0 was looked at for this and left out (docs/decisions/0009): it takes any 200 for success, follows
redirects with the address in them, and reads answers of any size.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any, Final
from urllib.parse import quote

from agent.link.senders.outcome import Outcome, failed
from agent.link.senders.web import JSON, as_json, request
from config.messaging import Robot, SendersSettings

WECOM_BYTES: Final = 2_048  # https://developer.work.weixin.qq.com/document/path/91770
OTHER_BYTES: Final = 18_000  # DingTalk and Feishu take 20 KB of body
BUSY: Final = frozenset({45009, 130101, 9499, 11232})  # rate limits of WeCom, DingTalk, Feishu


class Robots:
    """One message to one group."""

    def __init__(self, settings: SendersSettings) -> None:
        self._settings = settings

    def send(self, letter: dict[str, Any]) -> Outcome:
        """Tell the group."""
        robot = next((robot for robot in self._settings.robots if robot.name == letter["to"]), None)
        if robot is None:
            return failed("not_configured")
        words, now = f"{letter['subject']}\n{letter['text']}", int(time.time())
        url = robot.url.get_secret_value()
        secret = robot.secret.get_secret_value()
        if robot.kind == "dingtalk" and secret:
            url += f"{'&' if '?' in url else '?'}timestamp={now * 1000}&sign={dingtalk_sign(secret, now * 1000)}"
        said = request("POST", url, content=as_json(body_of(robot, words, letter, now)), headers=JSON)
        if isinstance(said, Outcome):
            return said
        document = said.document
        if robot.kind == "webhook":
            return Outcome(ending="accepted")
        code = (document or {}).get("errcode", (document or {}).get("code", (document or {}).get("StatusCode")))
        if not isinstance(code, int) or isinstance(code, bool):
            return failed("bad_answer")
        if code != 0:
            return failed("busy" if code in BUSY else "refused", str(code))
        return Outcome(ending="accepted")


def body_of(robot: Robot, words: str, letter: dict[str, Any], now: int) -> dict[str, Any]:
    """The request's body. `now` in seconds since 1970."""
    more = f"…（全文：cloche message show {letter['id']}）"
    if robot.kind == "wecom":
        return {"msgtype": "text", "text": {"content": cut(words, WECOM_BYTES, more)}}
    if robot.kind == "dingtalk":
        return {"msgtype": "text", "text": {"content": cut(words, OTHER_BYTES, more)}}
    if robot.kind == "feishu":
        body: dict[str, Any] = {"msg_type": "text", "content": {"text": cut(words, OTHER_BYTES, more)}}
        secret = robot.secret.get_secret_value()
        return {**body, "timestamp": str(now), "sign": feishu_sign(secret, now)} if secret else body
    return {
        "schema": "cloche.message/1", "id": letter["id"], "purpose": letter["purpose"], "subject": letter["subject"],
        "text": letter["text"],
    }  # fmt: skip


def cut(words: str, most: int, more: str) -> str:
    """At most `most` bytes of UTF-8, cut between characters, with a pointer to where the rest is."""
    content = words.encode("utf-8", "replace")
    if len(content) <= most:
        return content.decode("utf-8")
    room = most - len(more.encode())
    return content[:room].decode("utf-8", "ignore") + more


def dingtalk_sign(secret: str, milliseconds: int) -> str:
    """HMAC-SHA256 of `timestamp\\nsecret`, base64, escaped (open.dingtalk.com, robot security settings)."""
    mac = hmac.new(secret.encode(), f"{milliseconds}\n{secret}".encode(), hashlib.sha256).digest()
    return quote(base64.b64encode(mac).decode(), safe="")


def feishu_sign(secret: str, seconds: int) -> str:
    """HMAC-SHA256 of nothing under `timestamp\\nsecret`, base64 (open.feishu.cn, custom bot guide)."""
    mac = hmac.new(f"{seconds}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return base64.b64encode(mac).decode()
