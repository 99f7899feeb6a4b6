"""Vectors of IP_ADDRESS. All made up; numbers are valid in form and nobody's on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping

ENTITY = "IP_ADDRESS"
VECTORS = {
    "found": """
192.168.1.10
登录IP«192.168.1.10»成功
来自«10.0.0.1»的请求
IP«10.0.0.1»
ip=«10.0.0.1»&x=1
"«8.8.8.8»"
http://«10.0.0.1»:8080/
«10.0.0.1»:3306
[«10.0.0.1»]
«223.104.3.21» - - [17/May/2024]
client: «1.2.3.4»,
«2001:db8::1»
[«2001:db8::1»]:443
«fe80::1ff:fe23:4567:890a»
«2001:0db8:85a3:0000:0000:8a2e:0370:7334»
«2001:DB8::8:800:200C:417A»
«::ffff:192.0.2.128»
ipv6 «2408:8207:1234::1»
ip:«2001:db8::1»
IP：«2408:8207:1234::1»
""",
    "left": """
订单号10.0.0.1
version 1.2.3.4
v1.2.3.4
版本1.2.3.4
版本号：1.2.3.4
build 10.0.0.1
ver=1.2.3.4
256.1.2.3
1.2.3
1.2.3.4.5
01.02.03.04
192.168.1.10a
a192.168.1.10
127.0.0.1
0.0.0.0
255.255.255.0
::1
::
10:30:00
2024-05-17 10:30:00
std::vector
a::b
00:1a:2b:3c:4d:5e
12:34
1:2:3:4:5:6:7:8:9
""",
}


def test_the_detector_takes_exactly_the_value_or_leaves_it(check: Callable[[str, Mapping[str, str]], None]) -> None:
    check(ENTITY, VECTORS)
