"""Which runtime the settings ask for: worker and waker start servers in the same way."""

from provisioner.runtimes.docker_runtime import DockerRuntime
from provisioner.runtimes.process_runtime import ProcessRuntime
from provisioner.runtimes.runtime import Runtime
from provisioner.settings import Environment, ProvisionerSettings, RuntimeKind
from shared.contracts.state_folder import StateFolder
from shared.kernel.errors import AppError


class WorkerSettingMissing(AppError):
    """A setting is needed that some other program does without."""

    code = "worker_setting_missing"
    status = 500
    public = "The worker needs the setting {name}."
    next_action = "Set it, then start again."


def runtime_of(settings: ProvisionerSettings) -> Runtime:
    """How tenants' servers run here.

    Raises:
        WorkerSettingMissing: see there.
        RuntimeNotForProduction: the runtime `process` in production.
    """
    match settings.runtime:
        case RuntimeKind.DOCKER:
            if not settings.tenant_image:
                raise WorkerSettingMissing(shown={"name": "PROVISIONER_TENANT_IMAGE"})
            return DockerRuntime(settings.tenant_image, settings.state_dir)
        case RuntimeKind.PROCESS:
            if settings.tenant_python is None:
                raise WorkerSettingMissing(shown={"name": "PROVISIONER_TENANT_PYTHON"})
            production = settings.environment is Environment.PRODUCTION
            return ProcessRuntime(settings.tenant_python, StateFolder(settings.state_dir), production=production)
