"""smb.conf read and written, names and shares taken and put back, share permissions as numbers. Samba's programs are fakes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.identity.errors import DocumentInvalid, ProgramFailed, ShareRefused, TakeoverIncomplete
from orchestrator.identity.names import NameDocument, Names
from orchestrator.identity.running import Ran
from orchestrator.identity.sddl import numeric
from orchestrator.identity.shares import Share, ShareDocument, Shares, read_sddl
from orchestrator.identity.smbconf import (
    Included,
    Registry,
    sections_of,
    store_for,
    text_of,
    with_include,
    without_include,
)

CONF = """# of the house
[Global]
    workgroup = LAB
    netbios aliases = OLD

; shares below
[docs]
    path = /srv/docs
"""


class FakeSamba:
    """``testparm``, ``sharesec``, ``smbcontrol`` and ``net conf`` over files: what smb.conf and its includes say, registry last."""

    def __init__(self, conf: Path) -> None:
        self.conf = conf
        self.registry: dict[str, dict[str, str]] = {}
        self.sddl: dict[str, str] = {}
        self.reloads = 0
        self.silent = False
        self.started: list[str] = []

    def says(self):
        found = sections_of(self.conf.read_text())
        include = found["global"].get("include", "")
        more = self.registry if include == "registry" else sections_of(Path(include).read_text()) if include else {}
        for name, words in more.items():
            found.setdefault(name, {}).update(words)
        if found["global"].get("registry shares") == "yes":
            found |= {name: says for name, says in self.registry.items() if name not in found}
        return found

    def run(self, words, text=""):
        self.started.append(words[0])
        return Ran(126, "", "timed out") if self.silent else self._answer(words, text)

    def _answer(self, words, text):
        match words:
            case ["testparm", "-s", first, _] if first.startswith("--parameter-name="):
                return Ran(0, self.says()["global"].get(first.partition("=")[2], "") + "\n")
            case ["testparm", "-s", _]:
                return Ran(0, text_of(self.says()))
            case ["sharesec", _, "--viewsddl", "--", name]:
                return Ran(0, self.sddl.get(name, "D:(A;;0x001f01ff;;;WD)") + "\n")
            case ["sharesec", _, sddl, "--", name] if sddl.startswith("--setsddl="):
                self.sddl[name] = sddl.partition("=")[2]
            case ["sharesec", _, "--delete", "--", name]:
                self.sddl.pop(name, None)
            case ["smbcontrol", _, "all", "reload-config"]:
                self.reloads += 1
            case ["smbcontrol", _, "nmbd", *_]:
                return Ran(1, "", "no nmbd")
            case ["net", _, "conf", deed, "--", *more]:
                return self._net(deed, more, text)
        return Ran(0, "")

    def _net(self, deed, more, text):
        match deed, more:
            case "list", []:
                return Ran(0, text_of(self.registry))
            case "showshare", [name]:
                known = self.registry.get(name)
                return Ran(0, text_of({name: known})) if known is not None else Ran(255, "", "SBC_ERR_NO_SUCH_SERVICE")
            case "import", [_, name]:
                self.registry[name] = sections_of(text)[name]
            case "setparm", [section, word, value]:
                self.registry.setdefault(section, {})[word] = value
            case "delparm", [section, word]:
                del self.registry[section][word]
            case "delshare", [name]:
                del self.registry[name]
        return Ran(0, "")


@pytest.fixture
def samba(tmp_path):
    conf = tmp_path / "smb.conf"
    conf.write_text(CONF)
    return FakeSamba(conf)


def test_smb_conf_is_read_as_samba_reads_it():
    text = "[Global]\n  NetBIOS   Aliases = A \\\n   B\n# no\n;no\n[ Docs ]\npath=/x\nread only = no\n"
    assert sections_of(text) == {
        "global": {"netbios aliases": "A B"},
        "docs": {"path": "/x", "read only": "no"},
    }


@pytest.mark.parametrize(
    "text", [CONF, CONF.rstrip("\n"), "", "[docs]\npath=/x\n", "[global]\n[docs]\n", "\tworkgroup = X\n"]
)
def test_the_include_stands_in_global_and_goes_without_a_trace(text):
    path = Path("/etc/samba/dtam-names.conf")
    changed = with_include(text, path)
    assert sections_of(changed)["global"]["include"] == str(path)
    assert with_include(changed, path) == changed
    assert without_include(changed, path).removeprefix("[global]\n").rstrip("\n") == text.removeprefix(
        "[global]\n"
    ).rstrip("\n")


def test_no_value_can_become_another_line():
    with pytest.raises(DocumentInvalid):
        text_of({"docs": {"path": "/x\n\tguest ok = yes"}})


def test_the_registry_is_used_where_smb_conf_reads_it(samba):
    assert isinstance(store_for(samba, samba.conf, shares=False), Included)
    samba.conf.write_text(CONF.replace("workgroup", "registry shares = yes\n workgroup"))
    assert isinstance(store_for(samba, samba.conf, shares=False), Included)
    assert isinstance(store_for(samba, samba.conf, shares=True), Registry)
    samba.conf.write_text(CONF.replace("workgroup", "include = registry\n workgroup"))
    assert isinstance(store_for(samba, samba.conf, shares=False), Registry)


@pytest.mark.parametrize("registry", [False, True], ids=["file", "registry"])
def test_names_taken_beside_those_that_are_there_and_given_back(samba, tmp_path, registry):
    if registry:
        samba.conf.write_text(CONF.replace("netbios aliases = OLD", "include = registry"))
        samba.registry["global"] = {"netbios aliases": "OLD"}
    before, kept = samba.conf.read_text(), {name: dict(says) for name, says in samba.registry.items()}
    document = NameDocument(netbios=("ALPHA",), dns=("alpha.lab.example",), conf=str(samba.conf))
    names = Names(samba, tmp_path / "undo.json")
    assert not names.show(document).so
    assert [line.state for line in names.plan(document).lines] == ["would-take", "would-take"]
    assert names.take(document).so
    assert samba.says()["global"]["netbios aliases"] == "OLD ALPHA"
    assert samba.says()["global"]["additional dns hostnames"] == "alpha.lab.example"
    assert names.show(document).so
    assert [line.state for line in names.take(document).lines] == ["already", "already"]
    assert samba.reloads == 1
    assert names.back(document).so
    assert samba.conf.read_text() == before
    assert samba.registry == kept
    assert not list(tmp_path.glob("dtam-*.conf"))
    assert names.back(document).remarks == ("nothing was taken",)


def test_a_smb_conf_elsewhere_is_written_where_it_lies(samba, tmp_path):
    """A symbolic link, as from /etc/samba to a directory under version control, goes on leading there."""
    elsewhere = tmp_path / "versioned" / "smb.conf"
    elsewhere.parent.mkdir()
    samba.conf.rename(elsewhere)
    samba.conf.symlink_to("versioned/smb.conf")
    before = elsewhere.read_text()
    names = Names(samba, tmp_path / "undo.json")
    document = NameDocument(netbios=("ALPHA",), conf=str(samba.conf))
    assert names.take(document).so
    assert samba.conf.is_symlink()
    assert "dtam-names.conf" in elsewhere.read_text()
    names.back(document)
    assert samba.conf.is_symlink()
    assert elsewhere.read_text() == before


def test_names_that_smb_conf_overrides_are_told(samba, tmp_path):
    samba.conf.write_text("[global]\n include = registry\n")
    samba._net = lambda *_: Ran(0, "")
    document = NameDocument(netbios=("ALPHA",), conf=str(samba.conf))
    with pytest.raises(TakeoverIncomplete, match="does not answer under ALPHA"):
        Names(samba, tmp_path / "undo.json").take(document)


@pytest.mark.parametrize(
    "document", [NameDocument(netbios=("A" * 16,)), NameDocument(dns=("a b",)), NameDocument(server="nfs")]
)
def test_what_is_no_name_is_refused(samba, tmp_path, document):
    with pytest.raises(DocumentInvalid):
        Names(samba, tmp_path / "undo.json").take(document)


@pytest.mark.parametrize("registry", [False, True], ids=["file", "registry"])
def test_shares_put_with_permissions_and_taken_away(samba, tmp_path, registry):
    if registry:
        samba.conf.write_text(CONF.replace("workgroup", "registry shares = yes\n    workgroup"))
    before = samba.conf.read_text()
    share = Share("plans", str(tmp_path), "all plans", {"read only": "no"}, "D:(A;;FA;;;BA)(A;;0x1200a9;;;WD)")
    document = ShareDocument(str(samba.conf), (share,))
    shares = Shares(samba, tmp_path / "undo.json")
    assert not shares.show(document).so
    assert shares.take(document).so
    assert samba.says()["plans"] == {"path": str(tmp_path), "comment": "all plans", "read only": "no"}
    assert samba.sddl == {"plans": "D:(A;;0x001f01ff;;;BA)(A;;0x001200a9;;;WD)"}
    assert [line.state for line in shares.take(document).lines] == ["already"]
    assert shares.back(document).so
    assert samba.conf.read_text() == before
    assert "plans" not in samba.says()
    assert samba.sddl == {}
    assert shares.back(document).remarks == ("nothing was taken",)


@pytest.mark.parametrize(
    ("share", "says"),
    [
        (Share("docs", "/tmp"), "leads to /srv/docs, not to /tmp"),
        (Share("plans", "/no/such"), "no directory /no/such"),
        (Share("SYSVOL", "/tmp"), "belongs to the system"),
    ],
)
def test_shares_that_cannot_be_put_change_nothing(samba, tmp_path, share, says):
    good = Share("plans", str(tmp_path))
    with pytest.raises(ShareRefused, match=says):
        Shares(samba, tmp_path / "undo.json").take(ShareDocument(str(samba.conf), (good, share)))
    assert samba.conf.read_text() == CONF


def test_permissions_that_cannot_be_asked_are_never_everyone_s(samba):
    samba.silent = True
    with pytest.raises(ProgramFailed, match="sharesec failed: timed out"):
        read_sddl(samba, samba.conf, "docs")
    with pytest.raises(ProgramFailed, match="net failed: timed out"):
        Registry(samba, samba.conf).read("docs")


def test_rights_are_numbers_on_both_ways():
    assert numeric("O:BAG:BAD:(A;;FA;;;BA)(D;OICI;RPWPCRCCDCLCLODTSW;;;WD)") == (
        "O:BAG:BAD:(A;;0x001f01ff;;;BA)(D;OICI;0x000001ff;;;WD)"
    )
    with pytest.raises(DocumentInvalid):
        numeric("D:(A;;NONSENSE;;;BA)")


@given(st.lists(st.integers(0, 0xFFFFFFFF), min_size=1, max_size=4))
def test_numbers_stay_what_they_are(masks):
    text = "D:" + "".join(f"(A;;0x{one:x};;;S-1-5-32-{at})" for at, one in enumerate(masks))
    assert numeric(numeric(text)) == numeric(text)
    assert all(f"0x{one:08x}" in numeric(text) for one in masks)


@pytest.mark.parametrize("count", [1, 5])
def test_opening_shares_that_wait_starts_few_programs(samba, tmp_path, count):
    """Clients wait meanwhile: all is asked once, each share is opened by one program, and nothing that was right is asked again."""
    samba.conf.write_text(CONF.replace("[docs]", "\tregistry shares = yes\n[docs]"))
    wanted = tuple(Share(f"share{number}", str(tmp_path)) for number in range(count))
    waiting = tuple(Share(one.name, one.path, options={"available": "no"}) for one in wanted)
    Shares(samba, tmp_path / "kept.json").take(ShareDocument(str(samba.conf), waiting))
    samba.started.clear()
    report = Shares(samba, tmp_path / "undo.json").take(ShareDocument(str(samba.conf), wanted))
    assert report.so
    assert all(samba.registry[one.name].get("available", "yes") == "yes" for one in wanted)
    asked = ["testparm", "net", "testparm", "net", "smbcontrol"]
    assert sorted(samba.started) == sorted([*asked, *["sharesec", "net"] * count])
