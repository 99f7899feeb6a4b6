"""Vectors of DATE_OF_BIRTH. All made up; numbers are valid in form and nobody's on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping

ENTITY = "DATE_OF_BIRTH"
VECTORS = {
    "found": """
出生日期：«1990-03-07»
生日«1990年3月7日»
生日：«1990年03月07日»
出生于«1990年3月»
生于«1990年3月7日»
生日:«1990/3/7»
生日 «1990.3.7»
出生«19900307»
出生年月：«1990-03»
birthday: «1990-03-07»
"birthday":"«1990-03-07»"
birthDate=«1990-03-07»
userBirthday: «1990-03-07»
dob: «03/07/1990»
DOB «07.03.1990»
born on «7 March 1990»
Born «March 7, 1990»
date of birth: «1990-03-07»
date_of_birth=«19900307»
csrq:«19900307»
shengri «1990-3-7»
出生日期«一九九〇年三月七日»
生日：«一九九零年十二月三十一日»
生于«九〇年三月»
生日是«3月7日»
出生«三月七号»
出生日期«十二月二十五日»
born on «7th March 1990»
«1990年3月7日»出生
«1990年3月7日»生
«1990-03-07»出生
«1990年3月»生人
生日«90年3月7日»
身份证上出生日期为«1990 03 07»
""",
    "left": """
2024-03-07
会议时间2024-03-07
下单日期：2024-03-07
1990年3月7日
19900307
生日快乐
生日蛋糕 6寸
生日 13800001111
出生 110101199003074610
生日：2024年13月7日
birthday cake 2024
birthplace: 1990-03-07x
newborn 2024-03-07
reborn 2024-03-07
生产日期：2024-03-07
2024年3月7日生产
2024-03-07生效
2024年3月7日生成
2024年3月7日生活
有效期至2030-03-07
adobe 2024-03-07
"创始人出生","1891年4月7日"
生日
出生年月：
""",
}


def test_the_detector_takes_exactly_the_value_or_leaves_it(check: Callable[[str, Mapping[str, str]], None]) -> None:
    check(ENTITY, VECTORS)
