"""Vectors of LOCATION_COORDINATES. All made up; numbers are valid in form and nobody's on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping

ENTITY = "LOCATION_COORDINATES"
VECTORS = {
    "found": """
31.230416,121.473701
«31.230416, 121.473701»
«121.473701,31.230416»
坐标：«121.473701,31.230416»
定位«31.230416，121.473701»附近
经纬度 «39.9087,116.3975»
location=«39.9087,116.3975»&x=1
[«116.397500,39.908700»]
POINT(«116.397500 39.908700»)
lat: «31.230416, lng: 121.473701»
"lat":"«31.230416","lng":"121.473701»"
latitude=«-33.868820»
longitude: «151.209290»
经度：«121.473701»
纬度«31.230416»
gps «51.507351,-0.127758»
«22.543096;114.057865»
""",
    "left": """
订单号39.9087,116.3975
订单号31.230416,121.473701
31.2304,121.4737
51.507351,-120.127758
31.230416
121.473701
price=31.230416
19.90,29.90
19.9000,1299.0000
12.3456, 78.9012
31.23,121.47
1700000000.123456,1700000001.123456
0.123456,0.654321
99.123456,199.123456
v31.230416.121.473701
192.168.10.1
weight: 31.230416
lng=221.473701
12.34567 kg
flat=31.230416
3.14159265358979
""",
}


def test_the_detector_takes_exactly_the_value_or_leaves_it(check: Callable[[str, Mapping[str, str]], None]) -> None:
    check(ENTITY, VECTORS)
