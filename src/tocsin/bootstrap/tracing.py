"""Traces put together, if they are wanted; nothing of OpenTelemetry is imported otherwise."""

from tocsin.application.tracing import Tracing
from tocsin.settings import Settings, SettingsError


def open_tracing(settings: Settings) -> Tracing | None:
    """
    Return what follows events to a collector; None: traces are off.

    Raises:
        SettingsError: They are wanted, and the extra is not installed.
    """
    if settings.otlp_url is None:
        return None
    try:
        from tocsin.adapters.otel import OtelTracing  # noqa: PLC0415 the packages are an extra
    except ModuleNotFoundError as error:
        raise SettingsError("TOCSIN_OTLP_URL is set, its package is missing: pip install 'tocsin[otel]'") from error
    return OtelTracing(settings.otlp_url, settings.trace_share)
