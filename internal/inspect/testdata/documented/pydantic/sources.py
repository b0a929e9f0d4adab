"""Other sources beside the environment, and what they themselves read."""
import os

from pydantic_settings import (
    AWSSecretsManagerSettingsSource, AzureKeyVaultSettingsSource, BaseSettings, GoogleSecretManagerSettingsSource, SettingsConfigDict,
    TomlConfigSettingsSource,
)


class Sub(BaseSettings):
    inner: str


class Clouds(BaseSettings):
    model_config = SettingsConfigDict(toml_file="x.toml")
    outer: str
    sub: Sub

    @classmethod
    def settings_customise_sources(cls, settings_cls, init_settings, env_settings, dotenv_settings, file_secret_settings):
        aws = AWSSecretsManagerSettingsSource(settings_cls, os.environ["SECRET_OF_AWS"])
        azure = AzureKeyVaultSettingsSource(settings_cls, os.environ["VAULT_OF_AZURE"], None)
        google = GoogleSecretManagerSettingsSource(settings_cls, project_id=os.getenv("PROJECT_OF_GOOGLE"))
        return init_settings, env_settings, dotenv_settings, file_secret_settings, aws, azure, google, TomlConfigSettingsSource(settings_cls)
