"""Aliases, choices of aliases, prefixes, nested models: our own of each thing that the manual of pydantic-settings shows."""
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal, Optional, Union

import pydantic_settings as ps
from pydantic import (
    AliasChoices, AliasPath, AmqpDsn, BaseModel, Field, ImportString, PostgresDsn, PrivateAttr, RedisDsn, SecretStr, computed_field,
)
from pydantic.dataclasses import dataclass
from pydantic_settings import BaseSettings, ForceDecode, NoDecode, SettingsConfigDict


class Extra(BaseModel):
    colour: str = "blue"
    weight: int = 3


class Usage(BaseSettings):
    door_key: str = Field(validation_alias="house_door_key")
    window_key: str = Field(alias="house_window_key")
    cache: RedisDsn = Field("redis://u:p@localhost:6379/1", validation_alias=AliasChoices("cache_dsn", "redis_location"))
    store: PostgresDsn = "postgres://u:p@localhost:5432/x"
    queue: AmqpDsn = "amqp://u:p@localhost:5672/"
    hook: ImportString[Callable[[Any], Any]] = "math.cos"
    hosts: set[str] = set()
    extra_parts: Extra = Extra()
    first: str = Field(validation_alias=AliasPath("parts", 0))
    second: str = Field("x", validation_alias=AliasChoices("second_part", AliasPath("more_parts", 1)))

    shared: ClassVar[int] = 1
    _hidden: str = PrivateAttr("x")
    model_config = SettingsConfigDict(env_prefix="shop_")

    @computed_field
    @property
    def address(self) -> str:
        return str(self.store)


class PrefixOnAliases(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="all_", env_prefix_target="all")
    plain: str
    named: str = Field(alias="other")


class PrefixOnAliasesOnly(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="some_", env_prefix_target="alias")
    bare: str
    called: str = Field(alias="by_alias")


class Exact(BaseSettings):
    model_config = SettingsConfigDict(case_sensitive=True)
    exactHost: str


class ByKeyword(BaseSettings, env_prefix="kw_", env_file="kw.env"):
    size: int


class ByModule(ps.BaseSettings):
    model_config = ps.SettingsConfigDict(env_prefix="MOD_", env_file=(".env", ".env.prod"), env_file_encoding="utf-8")
    login: str
    password: SecretStr


class ByDict(BaseSettings):
    model_config = {"env_prefix": "dict_", "secrets_dir": "/run/secrets"}
    answer: int = 42


class Deepest(BaseModel):
    v4: str


class Deep(BaseModel):
    v1: str
    v2: bytes
    v3: int
    deepest: Deepest


@dataclass
class Point:
    x: int
    y: int = 0


class Nested(BaseSettings):
    model_config = SettingsConfigDict(env_nested_delimiter="__")
    v0: str
    deep: Deep
    point: Point


class Model(BaseModel):
    provider: str = "one"
    api_key: SecretStr
    api_version: str = "v1"


class SplitOnce(BaseSettings):
    model_config = SettingsConfigDict(env_nested_delimiter="_", env_nested_max_split=1, env_prefix="GEN_")
    model: Model


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    good: bool = True


class Union1(BaseSettings):
    model_config = SettingsConfigDict(env_nested_delimiter="__", env_prefix="PET_")
    animal: Union[Cat, Dog] = Field(discriminator="kind")


class Parsing(BaseSettings):
    numbers: Annotated[list[int], NoDecode]
    names: Annotated[list[str], ForceDecode] = []
    level: Literal["low", "high"] = "low"
    maybe: Optional[int] = None
    strict: Optional[int]
    made: list[str] = Field(default_factory=list)
    forced: str = Field(...)
    forced_again: str = ...
    anything: Annotated[str, Field(validation_alias="through_annotation")]
    model_config = SettingsConfigDict(env_ignore_empty=True, env_parse_none_str="null", enable_decoding=False)


class Inherited(Parsing):
    added: str


fromThere = Usage(_env_file="there.env")
