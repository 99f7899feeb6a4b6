"""Vectors of EMAIL_ADDRESS. All made up; numbers are valid in form and nobody's on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping

ENTITY = "EMAIL_ADDRESS"
VECTORS = {
    "found": """
ceshi@qq.com
邮箱«ceshi@qq.com»谢谢
测试甲«ceshi@example.com»测试乙
邮箱：«ceshi@qq.com»。
邮箱:«ceshi@qq.com»,
«user+tag@mail.example.co.uk»
«a.b@example.com»
«a_b@example.com»
«a-b@example.com»
«a%b@example.com»
«1@qq.com»
«123456789@qq.com»
«13800001111@139.com»
«CESHI@QQ.COM»
«Ceshi@Qq.Com»
«x@a.cn»
«ceshi@vip.qq.com»
«ceshi@shop-1.example.net»
«ceshi@a.b.c.d.example.org»
«ceshi@example.museum»
«ceshi@example.photography»
«ceshi@xn--fiqs8s.com»
«ceshi＠163．com»
email=«ceshi%40qq.com»&x=1
«ｃｅｓｈｉ＠１６３．ｃｏｍ»
«ceshi＠qq.com»
«ce\u200bshi@qq.com»
«ceshi@q\u200bq.com»
«ceshi\u200d@qq.com»
«ceshi@qq\ufeff.com»
«ce\u00adshi@qq.com»
«ceshi@qq.com»haha
«ceshi@qq.com»hhh
«ceshi@qq.com»ok
«ceshi@qq.com»哈哈
<«ceshi@qq.com»>
"«ceshi@qq.com»"
'«ceshi@qq.com»'
(«ceshi@qq.com»)
（«ceshi@qq.com»）
[«ceshi@qq.com»]
{"email":"«ceshi@qq.com»"}
('«ceshi@qq.com»',1)
<td>«ceshi@qq.com»</td>
| «ceshi@qq.com» |
mailto:«ceshi@qq.com»
email=«ceshi@qq.com»&b=1
a,«ceshi@qq.com»,b
1;«ceshi@qq.com»;2
«ceshi@qq.com».
«ceshi@qq.com»!
«ceshi@qq.com»/
«ceshi@qq.com»:
To:«ceshi@qq.com»
E-mail: «ceshi@qq.com»
user=«ceshi@qq.com» ip=10.0.0.1
张三«zhang@example.com»
资料:«ceshi@qq.com»
«ceshi @ qq.com»
邮箱«ceshi @ mail.example.com»
«ceshi@ qq.com»
«ceshi @qq.com»
邮箱：«ceshi(at)qq.com»
«ceshi[at]qq.com»
«ceshi (at) qq.com»
邮箱«ceshi(at)qq(dot)com»
邮箱 «ceshi[at]qq[dot]com»
«ceshi@qq。com»
邮箱«ceshi@example。com»
邮箱«ceshi@qq .com»
«test.user.name@example.com»
«noreply@example.com»
1、«ceshi@qq.com»
订单号«ceshi@qq.com»
""",
    "left": """
name@part.bmp
name@part.class
name@part.conf
name@part.csv
name@part.dll
name@part.exe
name@part.gif
name@part.html
name@part.ico
name@part.jar
name@part.java
name@part.jpeg
name@part.localdomain
name@part.mount
name@part.pdf
name@part.php
name@part.scope
name@part.so
name@part.socket
name@part.svg
name@part.target
name@part.tgz
name@part.timer
name@part.txt
name@part.xml
name@part.yaml
name@part.yml
name@part.zip
name@part.local
订单号 ceshi @ qq.com
@
@qq.com
ceshi@
ceshi@qq
ceshi@localhost
ceshi@host.local
logo@2x.png
icon@3x.webp
bg@2x.jpg
style@2.0.css
user..name@example.com
.user@example.com
user.@example.com
user@-example.com
user@example
user@.com
user@example.c
user@example.123
user@1000.service
getty@tty1.service
user@1000.slice
pkg@1.2.3
react@18.2.0
lodash@4.17.21
com.example.Main@1a2b3c4d
Object@6d06d69c
@Override
@media screen
@张三 你好
这不是邮箱@
微博@测试甲
wechat@gongzhonghao
price @ 3.50
3 @ 12.00
see you @ example.com
meet @ cafe.com
user at qq dot com
git@github
root@server01:~#
root@10.0.0.1
admin@192.168.1.10
ssh user@10.0.0.1 -p 22
a@b
a@b.c
@@@@
a@@b.com
"@type": "Person"
@param user.name the name
@font-face
x@y.js
app@main.vue
test@spec.ts
data@2024.json
backup@2024.tar
dump@prod.gz
module@latest.py
file@v1.log
README@v2.md
sheet@1.xlsx
文件@1.csv
@qq。com
2024-05-17@10:00
abc@def@
""",
}


def test_the_detector_takes_exactly_the_value_or_leaves_it(check: Callable[[str, Mapping[str, str]], None]) -> None:
    check(ENTITY, VECTORS)
