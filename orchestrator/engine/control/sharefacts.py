"""What a host says about its file sharing by Samba: shares with their ACLs, its place in a domain, and what may defeat a failover.

Everything is asked of Samba's own tools, each time anew, and nothing is changed. Access masks are given as numbers: Samba 4.17 prints some
of them as pairs of letters that it reads back as another mask. What cannot be asked is a problem in words, never an error.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from configparser import ConfigParser, Error
from pathlib import Path

import psutil

from orchestrator.engine.control import hostnaming
from orchestrator.engine.control.answers import SambaFacts, ShareFacts

BUDGET_S = 20.0
ADMINISTRATIVE = frozenset({"admin$", "ipc$", "print$", "netlogon", "sysvol"})
"""Never shared out by another server: they belong to the machine itself, or to the domain."""
TEMPLATES = frozenset({"homes", "printers", "global"})
DAEMONS = ("smbd", "nmbd", "winbindd")
EVERYONE_FULL, EVERYONE_READS = "D:(A;;0x001f01ff;;;WD)", "D:(A;;0x001200a9;;;WD)"
MASKS = {
    "CC": 0x1, "DC": 0x2, "LC": 0x4, "SW": 0x8, "RP": 0x10, "WP": 0x20, "DT": 0x40, "LO": 0x80, "CR": 0x100,
    "SD": 0x10000, "RC": 0x20000, "WD": 0x40000, "WO": 0x80000,
    "GA": 0x10000000, "GX": 0x20000000, "GW": 0x40000000, "GR": 0x80000000,
    "FA": 0x1F01FF, "FR": 0x120089, "FW": 0x120116, "FX": 0x1200A0,
}  # fmt: skip
USERSHARE_MASKS = {"F": ("A", 0x1F01FF), "R": ("A", 0x1200A9), "D": ("D", 0x1F01FF)}
_USERSHARE = re.compile(r"(?P<sid>S-1(?:-\d+)+):(?P<right>[FfRrDd])")
_ACE = re.compile(r"\((?P<kind>[^;]*);(?P<flags>[^;]*);(?P<rights>[^;]*);(?P<rest>[^)]*)\)")


def gather(conf: Path, keytabs: Sequence[str] = (), sids: Sequence[str] = ()) -> SambaFacts:
    """All that can be said. ``conf`` is Samba's configuration, ``keytabs`` files to look at, ``sids`` those to be given names."""
    naming = hostnaming.gather(keytabs)
    if shutil.which("testparm") is None or not conf.exists():
        why = "Samba is not installed here" if shutil.which("testparm") is None else f"{conf} is not there"
        return SambaFacts(installed=False, conf=str(conf), problems=[why], **naming)
    problems: list[str] = []
    options = sections(_said(["testparm", "-s", "-v", "--section-name=global", str(conf)], problems))
    plain = options.get("global", {})
    return SambaFacts(
        installed=True,
        conf=str(conf),
        version=_said(["smbd", "--version"], problems).removeprefix("Version ").strip(),
        role=_role(conf, problems),
        workgroup=plain.get("workgroup", ""),
        realm=plain.get("realm", ""),
        netbios_name=plain.get("netbios name", ""),
        netbios_aliases=plain.get("netbios aliases", "").split(),
        dns_names=plain.get("additional dns hostnames", "").split(),
        kerberos_method=plain.get("kerberos method", "default"),
        registry_shares=_is_on(plain.get("registry shares", "no")),
        local_sid=_sid(["net", "-s", str(conf), "getlocalsid"]),
        domain_sid=_sid(["net", "-s", str(conf), "getdomainsid"]),
        shares=shares(conf, plain, problems),
        running=[name for name in DAEMONS if name in _processes()],
        unresolved_sids=[sid for sid in sids if not _has_name(sid)],
        problems=problems,
        **naming,
    )


def shares(conf: Path, plain: Mapping[str, str], problems: list[str]) -> list[ShareFacts]:
    """Every share of the configuration, the registry and the users, with its ACL; administrative ones are marked, not hidden."""
    listed = sections(_said(["testparm", "-s", str(conf)], problems))
    registry = sections(_said(["net", "-s", str(conf), "conf", "list"], problems))
    in_registry = {name.lower() for name in registry}
    configured = sections(hostnaming.text_of(conf))
    in_file = {name.lower() for name in configured}
    found = [
        _share(name, options, "registry" if name.lower() in in_registry - in_file else "smb.conf", conf, problems)
        for name, options in listed.items()
        if name.lower() not in TEMPLATES
    ]
    known = {one.name.lower() for one in found}
    return found + [one for one in _usershares(plain.get("usershare path", "")) if one.name.lower() not in known]


def _share(name: str, options: Mapping[str, str], origin: str, conf: Path, problems: list[str]) -> ShareFacts:
    rest = {key: value for key, value in options.items() if key not in {"path", "comment"}}
    said = _said(["sharesec", "-s", str(conf), "--viewsddl", "--", name], problems).strip() or EVERYONE_FULL
    sddl, problem = _readable(numeric, said)
    path, comment = options.get("path", ""), options.get("comment", "")
    return ShareFacts(
        name=name,
        path=path.rstrip("/") or path,
        comment=comment,
        origin=origin,
        options=rest,
        sddl=sddl,
        acl_problem=problem,
        administrative=_is_administrative(name, options),
    )


def _is_administrative(name: str, options: Mapping[str, str]) -> bool:
    drive = re.fullmatch(r"[A-Za-z]\$", name) is not None
    return drive or name.lower() in ADMINISTRATIVE or _is_on(options.get("printable", "no"))


def _usershares(folder: str) -> list[ShareFacts]:
    """Shares that users made: one file each; none where this user may not look."""
    try:
        paths = sorted(Path(folder).iterdir()) if folder.startswith("/") else []
    except OSError:
        return []
    return [one for one in map(_usershare, paths) if one is not None]


def _usershare(path: Path) -> ShareFacts | None:
    lines = hostnaming.text_of(path).splitlines()
    facts = dict(line.partition("=")[::2] for line in lines if "=" in line)
    if not lines or not lines[0].startswith("#VERSION") or not facts.get("path"):
        return None
    guest = {"guest ok": "yes"} if facts.get("guest_ok") == "y" else {}
    sddl, problem = _readable(_usershare_sddl, facts.get("usershare_acl", ""))
    return ShareFacts(
        name=facts.get("sharename", path.name),
        path=facts["path"],
        comment=facts.get("comment", ""),
        origin="usershare",
        options={"read only": "no", **guest},
        sddl=sddl,
        acl_problem=problem,
    )


def _readable(form: Callable[[str], str], text: str) -> tuple[str, str]:
    """Permissions and no problem; or none and what could not be read, which is never taken for everyone's."""
    try:
        return form(text), ""
    except ValueError as error:
        return "", f"{error} in '{text[:200]}'"


def _usershare_sddl(text: str) -> str:
    """Of a list such as ``S-1-1-0:R,``; an empty one lets everyone read, as Samba has it. ValueError: it is no such list."""
    entries = [one.strip() for one in text.split(",") if one.strip()]
    found = [(_USERSHARE.fullmatch(one), one) for one in entries]
    wrong = [one for match, one in found if match is None]
    if wrong:
        msg = f"'{wrong[0]}' is no entry of a user share"
        raise ValueError(msg)
    aces = [(*USERSHARE_MASKS[match["right"].upper()], match["sid"]) for match, _ in found if match]
    return "D:" + "".join(f"({kind};;{mask:#010x};;;{sid})" for kind, mask, sid in aces) if aces else EVERYONE_READS


def numeric(sddl: str) -> str:
    """The same descriptor with every access mask as a number. ValueError: a mask has letters that nobody knows."""
    return _ACE.sub(lambda ace: f"({ace['kind']};{ace['flags']};{_mask(ace['rights'])};{ace['rest']})", sddl)


def _mask(rights: str) -> str:
    if rights.lower().startswith("0x"):
        return f"{int(rights, 16):#010x}"
    pairs = [rights[place : place + 2] for place in range(0, len(rights), 2)]
    mask = 0
    for pair in pairs:
        if pair not in MASKS:
            msg = f"'{pair}' is no right"
            raise ValueError(msg)
        mask |= MASKS[pair]
    return f"{mask:#010x}"


def sections(text: str) -> dict[str, dict[str, str]]:
    """Text in the way of smb.conf as mappings, option names in small letters; what cannot be read is nothing."""
    parser = ConfigParser(
        delimiters=("=",), comment_prefixes=("#", ";"), strict=False, interpolation=None, default_section="\0"
    )
    try:
        parser.read_string("\n".join(line.strip() for line in text.splitlines()))
    except Error:
        return {}
    return {name: {key: value.strip() for key, value in parser[name].items()} for name in parser.sections()}


def _role(conf: Path, problems: list[str]) -> str:
    """The server's role as testparm names it: ROLE_DOMAIN_MEMBER, ROLE_ACTIVE_DIRECTORY_DC, ROLE_STANDALONE."""
    done = _run(["testparm", "-s", str(conf)])
    found = re.search(r"Server role: (\w+)", f"{done.stderr}\n{done.stdout}") if done else None
    if found is None:
        problems.append("testparm does not name the server's role")
        return ""
    return found[1]


def _processes() -> set[str]:
    return {str(process.info["name"]) for process in psutil.process_iter(["name"])}


def _has_name(sid: str) -> bool:
    done = _run(["wbinfo", "--sid-to-name", sid])
    return done is not None and done.returncode == 0


def _sid(command: Sequence[str]) -> str:
    done = _run(command)
    found = re.findall(r"S-1-5-21(?:-\d+){3}", done.stdout) if done and done.returncode == 0 else []
    return str(found[-1]) if found else ""


def _is_on(text: str) -> bool:
    return text.strip().lower() in {"yes", "true", "1"}


def _said(command: Sequence[str], problems: list[str]) -> str:
    """What a command printed; why it failed goes to ``problems``."""
    done = _run(command)
    if done is None:
        problems.append(f"{command[0]} cannot be asked")
    elif done.returncode != 0:
        problems.append(f"{' '.join(command[:2])} failed: {' '.join(done.stderr.split())[:200]}")
    else:
        return done.stdout
    return ""


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=BUDGET_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
