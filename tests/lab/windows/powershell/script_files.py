"""Script files: whether they may run, and what they require."""

from __future__ import annotations

import ntpath
import re
from typing import TYPE_CHECKING

from tests.lab.windows.machine import signatures
from tests.lab.windows.powershell import tree as t
from tests.lab.windows.powershell.netfiles import decoded
from tests.lab.windows.powershell.reading import read_script
from tests.lab.windows.powershell.values import (
    ErrorRecord,
    Terminating,
)

if TYPE_CHECKING:
    from tests.lab.windows.powershell.evaluate import Interpreter as Base
else:
    Base = object

POLICY_HELP = "about_Execution_Policies at https:/go.microsoft.com/fwlink/?LinkID=135170."


def _requires(error_id: str, message: str, name: str) -> Terminating:
    return Terminating(
        ErrorRecord(
            error_id,
            message,
            "PermissionDenied" if "Elevation" in error_id else "ResourceUnavailable",
            name,
            "System.Management.Automation.ScriptRequiresException",
        ),
        everywhere=True,
    )


class ScriptFiles(Base):
    """Script files: whether they may run, and what they require."""

    def load(self, path: str, name: str) -> t.Code:
        """Read a script file, if the execution policy lets it.

        Raises:
            Terminating: it is not there, may not run, or is not PowerShell.
        """
        file = self.machine.files.open_path(path)
        if not file.is_file():
            from tests.lab.windows.powershell.invoking import command_not_found

            raise command_not_found(name)
        data = file.read_bytes()
        text = (
            decoded(data)
            if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"))
            else data.decode("cp1252", "replace")
        )
        self._check_policy(path, text)
        code = read_script(text, path)
        self.check_requirements(code, path)
        return code

    def _check_policy(self, path: str, text: str) -> None:
        policy = self.state.get("execution_policy", self.session.execution_policy).casefold()
        if policy in ("bypass", "unrestricted", "remotesigned"):
            return
        if policy in ("restricted", "default", "undefined"):
            message = f"File {path} cannot be loaded because running scripts is disabled on this system. For more information, see {POLICY_HELP}"
        elif "# SIG # Begin signature block" not in text:
            message = f"File {path} cannot be loaded. The file {path} is not digitally signed. You cannot run this script on the current system. For more information about running scripts and setting execution policy, see {POLICY_HELP}"
        elif why := signatures.complaint(self.machine, path):
            message = f"File {path} cannot be loaded. {why}"
        else:
            return
        raise Terminating(
            ErrorRecord(
                "UnauthorizedAccess", message, "SecurityError", None, "System.Management.Automation.PSSecurityException"
            )
        )

    def check_requirements(self, code: t.Code, path: str) -> None:
        """`#Requires`."""
        name = ntpath.basename(path)
        for line in code.requires:
            words = line.casefold().split()
            version = re.search(r"-version\s+([\d.]+)", line, re.IGNORECASE)
            if version is not None and [int(part) for part in version[1].split(".")] > [5, 1]:
                message = f"The script '{name}' cannot be run because it contained a \"#requires\" statement for Windows PowerShell {version[1]}. The version of Windows PowerShell that is required by the script does not match the currently running version of Windows PowerShell 5.1.20348.2400."
                raise _requires("ScriptRequiresUnmatchedPSVersion", message, name)
            if "-runasadministrator" in words and not self.session.elevated:
                message = f"The script '{name}' cannot be run because it contains a \"#requires\" statement for running as Administrator. The current Windows PowerShell session is not running as Administrator. Start Windows PowerShell by using the Run as Administrator option, and then try running the script again."
                raise _requires("ScriptRequiresElevation", message, name)
            modules = re.search(r"-modules?\s+(.+)", line, re.IGNORECASE)
            there = getattr(self.machine.computer, "modules", None)
            if modules is not None and callable(there):
                known = {one.casefold() for one in there()}
                missing = [one.strip() for one in modules[1].split(",") if one.strip().casefold() not in known]
                if missing and known:
                    message = f"The script '{name}' cannot be run because the following modules that are specified by the \"#requires\" statements of the script are missing: {', '.join(missing)}."
                    raise _requires("ScriptRequiresMissingModules", message, name)
