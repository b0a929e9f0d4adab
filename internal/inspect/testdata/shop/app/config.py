"""Settings of a made-up shop."""
from enum import Enum
from functools import lru_cache
from typing import Annotated, ClassVar, Literal, Optional

from pydantic import AliasChoices, BaseModel, EmailStr, Field, PostgresDsn, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "SHOP_"


class Mode(str, Enum):
    FAST = "fast"
    SAFE = "safe"


class Database(BaseModel):
    host: str = "localhost"
    port: int
    password: SecretStr


class Common(BaseSettings):
    model_config = SettingsConfigDict(env_file=(".env", ".env.local"), env_prefix=f"{PREFIX}")
    debug: bool = False
    version: ClassVar[str] = "1"


class Settings(Common):
    model_config = SettingsConfigDict(env_nested_delimiter="__", secrets_dir="/run/secrets")

    database_url: PostgresDsn
    stripe_key: SecretStr = Field(..., validation_alias=AliasChoices("STRIPE_KEY", "stripe_api_key"))
    admin: Annotated[EmailStr | None, Field(alias="ADMIN_EMAIL")] = None
    level: Literal["debug", "info"] = "info"
    mode: Mode = Mode.SAFE
    hosts: Annotated[list[str], NoDecode] = []
    db: Database
    cache: Optional[Database] = None
    port: int = 8_000
    jwt_secret: str = "change-me-please"
    "a docstring of the field"

    def url(self) -> str:
        return str(self.database_url)


@lru_cache
def get_settings() -> Settings:
    return Settings()


settings = get_settings()
