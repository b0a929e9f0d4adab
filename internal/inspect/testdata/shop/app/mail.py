from decouple import Choices, Csv, config as cfg
from starlette.config import Config
from starlette.datastructures import Secret

web = Config(".env")

SMTP_PASSWORD = cfg("SMTP_PASSWORD")
SMTP_PORT = cfg("SMTP_PORT", default=25, cast=int)
SMTP_TLS = cfg("SMTP_TLS", cast=bool, default=True)
ALLOWED = cfg("ALLOWED", cast=Csv())
KIND = cfg("KIND", default="a", cast=Choices(["a", "b"]))
SESSION = web("SESSION", cast=Secret)
