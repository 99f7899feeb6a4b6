"""Vectors of CREDENTIAL. All made up; numbers are valid in form and nobody's on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping

ENTITY = "CREDENTIAL"
VECTORS = {
    "organisation": """
password=«abcd1234»
password: «abcd1234»
PASSWORD=«abcd1234»
Password = «abcd1234»
passwd=«abcd1234»
pwd=«abcd1234»
pwd:«abcd1234»
db_password=«abcd1234»
DB_PASSWORD=«abcd1234»
mysql.password=«abcd1234»
spring.datasource.password=«abcd1234»
userPassword:«abcd1234»
"password":"«abcd1234»"
"password": "«abcd1234»",
'password': '«abcd1234»'
{"pwd":"«abcd1234»","x":1}
password => '«abcd1234»'
密码：«Test-1234»
密码是«abcd1234»
密码为«abcd1234»
密码: «abcd1234»
密码=«abcd1234»
登录密码：«abcd1234»
初始密码 «abcd1234»
wifi密码«abcd1234»
口令：«abcd1234»
密碼：«abcd1234»
passphrase=«correct-horse»
secret=«abcd1234»
client_secret=«abcd1234efgh»
app_secret: «abcd1234efgh»
secretKey=«abcd1234»
secret_key=«abcd1234»
api_key=«abcd1234»
apikey: «abcd1234»
API_KEY="«abcd1234»"
access_key=«abcd1234»
accessKeySecret=«abcd1234»
access_token=«abcd1234»
refresh_token: «abcd1234»
auth_token=«abcd1234»
private_key=«abcd1234»
login?user=a&password=«abcd1234»&x=1
mysql --password=«abcd1234»
mysql -uroot -p«abcd1234» shop
mysqldump -h 10.0.0.1 -u root -p«abcd1234»
sshpass -p «abcd1234» ssh x
redis-cli -a «abcd1234»
«AKIAABCDEFGHIJKLMNOP»
key «ASIAABCDEFGHIJKLMNOP»,
「«LTAI4Fabcdefghijklmnop12»」
«AKIDabcdefghijklmnopqrstuvwxyz012345»
«ghp_abcdefghijklmnopqrstuvwxyz0123456789»
«gho_abcdefghijklmnopqrstuvwxyz0123456789»
«github_pat_11ABCDEFG0123456789_abcdefghij»
«glpat-abcdefghij0123456789»
«sk-abcdefghijklmnopqrstuvwxyz012345»
«sk-proj-abcdefghijklmnopqrstuvwxyz012345»
«sk-ant-api03-abcdefghijklmnopqrstuvwxyz»
«xoxb-123456789012-abcdefghijkl»
«AIzaabcdefghijklmnopqrstuvwxyz012345678»
«sk_live_abcdefghijklmnop»
«sk_test_abcdefghijklmnop»
«rk_live_abcdefghijklmnop»
«hf_abcdefghijklmnopqrstuvwxyzABCDEFGH»
«npm_abcdefghijklmnopqrstuvwxyz0123456789»
«eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl»
令牌«eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl»失效
Authorization: Bearer «abcdefghijklmnop0123»
Authorization: Basic «YWRtaW46YWJjZDEyMzQ=»
«-----BEGIN PRIVATE KEY-----»
«-----BEGIN RSA PRIVATE KEY-----»
«-----BEGIN OPENSSH PRIVATE KEY-----»
«-----BEGIN EC PRIVATE KEY-----»
«-----BEGIN PGP PRIVATE KEY BLOCK-----»
mysql://root:«abcd1234»@10.0.0.1:3306/shop
postgres://user:«p%40ss»@db/shop
redis://:«abcd1234»@localhost:6379
mongodb+srv://user:«abcd1234»@cluster0.example.net
https://user:«abcd1234»@example.com/x
amqp://guest:«abcd1234»@mq
ftp://user:«abcd1234»@example.com
管理员密码«Abc@1234»
""",
    "left": """
password=null
password=None
password: ""
password=true
password=false
password=******
password=xxxx
password=${DB_PASSWORD}
password={{ db_password }}
password=%s
password=#{pwd}
password=$1
password=<password>
password=getPassword()
password = request.getParameter("password")
password=os.environ["DB"]
password: string
password varchar(32)
`password` varchar(64) NOT NULL
password=changeme
password=your_password
忘记密码
密码错误
密码不能为空
修改密码成功
密码长度6-20位
请输入密码
password reset
password is required
passwords do not match
the secret of success
secretary=zhang12
tokenizer: bert-base
pwd
pwd=/
cd $PWD
AKIA1234
AKIAabcdefghijklmnop
XAKIAABCDEFGHIJKLMNOP
ghp_short
task-abcdefghijklmnopqrstuvwxyz
risk-abcdefghijklmnopqrstuvwx
sk-short
eyJhbGciOiJIUzI1NiJ9
eyJ.eyJ.x
-----BEGIN PUBLIC KEY-----
-----BEGIN CERTIFICATE-----
https://example.com:8080/x
http://example.com/a:b@c
https://user@example.com/
redis://localhost:6379
mysql://root:${PASS}@db
Basic information
bearer token
Basic economics
mysql -u root -p
mysql -h db shop
npm_config_cache
AIzashort
md5: d41d8cd98f00b204e9800998ecf8427e
""",
}


def test_the_detector_takes_exactly_the_value_or_leaves_it(check: Callable[[str, Mapping[str, str]], None]) -> None:
    check(ENTITY, VECTORS)
