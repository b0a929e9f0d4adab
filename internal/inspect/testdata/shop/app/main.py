import logging
import os
from typing import Annotated

from dotenv import load_dotenv
from fastapi import Depends, FastAPI

from .config import Settings, get_settings, settings
from .wrap import env

load_dotenv(".env", override=True)
app = FastAPI()
logger = logging.getLogger(__name__)
os.environ["TOKEN_FOR_TESTS"] = "abc123"
API_TOKEN = os.environ["API_TOKEN"]
WORKERS = int(os.getenv("WORKERS", "4"))
ORIGINS = os.environ.get("ORIGINS", "").split(",")
FEATURE = env("FEATURE", "off")


@app.get("/debug")
def debug(conf: Annotated[Settings, Depends(get_settings)]):
    return {"secret": conf.jwt_secret, "debug": conf.debug}


@app.get("/fine")
def fine(conf: Settings = Depends(get_settings)):
    print(conf.stripe_key)  # SecretStr prints stars
    logger.info("level %s", conf.level)
    return {"ok": bool(conf.jwt_secret), "port": conf.port}


@app.get("/all")
def everything():
    return settings.model_dump()


@app.on_event("startup")
def start():
    logger.info("key %s", settings.stripe_key.get_secret_value())
    print(f"token is {API_TOKEN}")
    secure = os.getenv("SECURE_COOKIES", "false").lower() in ("true", "1")
    return secure
