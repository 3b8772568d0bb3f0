"""Who takes the course: from CSV of our own, or as Canvas, Moodle and Gradescope export it. Pure.

Rule 1: a student's id names a folder, so it is made of letters, digits and . _ @ + - only, and never begins with a dot.
Rule 2: nobody is lost without a word: a row that is not a student says why, two rows of one id are a mistake.
Rule 3: who left stays in the roster, as inactive.

The columns, as these systems write them (without regard to case):
    ours        id, name, mail, section, group, repository, active; also first, last, and canvas, moodle, gradescope:
                the id of the same person there
    Canvas      Student, ID, SIS User ID, SIS Login ID, Section; a row "Points Possible" below the names, and the
                student "Student, Test" of the instructor's own view
    Moodle      First name, Surname or Last name, ID number, Email address, Groups, Department
    Gradescope  First Name, Last Name, SID, Email, Role, Section(s); only the role Student is one
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from grader.term.table import Line, folded, read_table, write_table
from harness.errors import UsageError

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,99}")
#: The columns of our own file, in this order.
COLUMNS = ("id", "first", "last", "mail", "section", "group", "repository", "active", "canvas", "moodle", "gradescope")
_SYSTEMS = ("canvas", "moodle", "gradescope")
_ACTIVE = frozenset({"active", "status"})
_NO = ("no", "n", "false", "0", "inactive", "dropped", "left")
_YES = ("", "yes", "y", "true", "1", "active")


@dataclass(frozen=True, kw_only=True)
class Person:
    """A student."""

    id: str  #: names the folder of what is handed in
    first: str = ""
    last: str = ""
    mail: str = ""
    section: str = ""
    group: str = ""  #: who hands in together; empty: alone
    repository: str = ""  #: where `grader collect git` takes from
    active: bool = True  #: False: has left
    canvas: str = ""  #: the id there, for what goes back
    moodle: str = ""
    gradescope: str = ""

    @property
    def name(self) -> str:
        """As people write it."""
        return " ".join(filter(None, (self.first, self.last))) or self.id


@dataclass(frozen=True)
class Roster:
    """Everybody, by id, in the order of the file."""

    people: tuple[Person, ...] = ()
    remarks: tuple[str, ...] = field(default=(), compare=False)  #: rows that are not students, and why
    knows_who_left: bool = field(default=True, compare=False)  #: whether the file says so: exports do not

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {person.id: person for person in self.people})

    def get(self, student: str) -> Person | None:
        """The person of that id, who may have left."""
        by_id: Mapping[str, Person] = self.__dict__["_by_id"]
        return by_id.get(student)

    @property
    def active(self) -> tuple[Person, ...]:
        """Everybody who takes part."""
        return tuple(person for person in self.people if person.active)

    def counts_for(self, student: str, *, groups: bool) -> tuple[str, ...]:
        """Whom something counts for that this student, or a member of this group, handed in: who takes part only.

        `groups`: whether this is group work. The folder of a group may have the name of the group, too.
        """
        person = self.get(student)
        group = person.group if person else student
        if groups and group:
            return tuple(one.id for one in self.active if one.group == group)
        return (student,) if person and person.active else ()

    def find(self, *, mail: str = "", **ids: str) -> Person | None:
        """Somebody by an id elsewhere (`canvas=...`), by mail, or by name (`name=...`, only if one has it)."""
        wanted = {key: value for key, value in ids.items() if value}
        for key in ("id", "canvas", "moodle", "gradescope"):
            if key in wanted and (found := [one for one in self.people if getattr(one, key) == wanted[key]]):
                return found[0]
        if mail and (found := [one for one in self.people if one.mail.casefold() == mail.casefold()]):
            return found[0]
        if name := wanted.get("name", ""):
            found = [one for one in self.people if _letters(one.name) == _letters(name)]
            return found[0] if len(found) == 1 else None
        return None


def _letters(name: str) -> str:
    """A name without regard to its order, case and punctuation: Canvas writes `last, first`."""
    return " ".join(sorted(re.findall(r"\w+", name.casefold())))


def read_roster(data: bytes, name: str) -> Roster:
    """A roster from a CSV file of any of the four kinds. Raises UsageError, with the line."""
    columns, lines = read_table(data, name)
    kind = next((kind for kind, has in _KINDS if all(column in columns for column in has)), None)
    if kind is None:
        raise UsageError(
            f"{name}: the columns ({', '.join(columns[:8])}) are those of no roster that is known. It needs at least"
            " a column id; or give the export of Canvas, Moodle or Gradescope as it is."
        )
    people: dict[str, Person] = {}
    remarks = []
    for line in lines:
        person = kind(line)
        if isinstance(person, str):
            if person:
                remarks.append(f"{name}, line {line.number}: {person}")
            continue
        if not _ID.fullmatch(person.id):
            what = f"{person.id!r} cannot be an id" if person.id else "there is no id"
            raise UsageError(
                f"{name}, line {line.number}: {what}. It names a folder: letters, digits and . _ @ + - only."
            )
        if person.id.casefold() in {known.casefold() for known in people}:
            raise UsageError(f"{name}, line {line.number}: {person.id} is there twice. Give each student one row.")
        people[person.id] = person
    return Roster(tuple(people.values()), tuple(remarks), kind is _ours and not _ACTIVE.isdisjoint(columns))


def _ours(line: Line) -> Person | str:
    active = line.first(*_ACTIVE).casefold()
    if active not in _YES + _NO:
        return f"active is {active!r}, which is neither yes nor no; taken for yes"
    first, last = _split(line.first("name"))
    return Person(
        id=line.first("id", "student", "student_id"),
        first=line.first("first", "first_name", "first name") or first,
        last=line.first("last", "last_name", "last name") or last,
        mail=line.first("mail", "email", "e-mail"),
        section=line.first("section"),
        group=line.first("group"),
        repository=line.first("repository", "repo"),
        active=active in _YES,
        canvas=line.first("canvas"),
        moodle=line.first("moodle"),
        gradescope=line.first("gradescope"),
    )


def _canvas(line: Line) -> Person | str:
    student = line.first("student")
    if not line.first("id"):  # the rows below the names: points possible, and whether grades are shown by hand
        return "" if folded(student) in ("points possible", "manual posting", "") else f"{student!r} has no ID"
    if folded(student) in ("student, test", "test student"):
        return "the test student of Canvas is left out"
    first, last = _split(student)
    login = line.first("sis login id", "sis user id", "integration id") or line.first("id")
    return Person(
        id=login,
        first=first,
        last=last,
        mail=login if "@" in login else "",
        section=line.first("section"),
        canvas=line.first("id"),
    )


def _moodle(line: Line) -> Person | str:
    mail = line.first("email address", "email")
    role = folded(line.first("roles", "role"))
    if role and "student" not in role:
        return f"{mail or line.first('id number')} is {role}, not a student"
    number = line.first("id number", "username")
    return Person(
        id=number or mail.partition("@")[0],
        first=line.first("first name"),
        last=line.first("last name", "surname"),
        mail=mail,
        section=line.first("department"),
        group=line.first("groups", "group").partition(",")[0].strip(),
        moodle=number or mail,
    )


def _gradescope(line: Line) -> Person | str:
    role = folded(line.first("role"))
    mail = line.first("email")
    if role not in ("", "student"):
        return f"{mail} is {role}, not a student"
    first, last = _split(line.first("name", "full name"))
    sid = line.first("sid")
    return Person(
        id=sid or mail.partition("@")[0],
        first=line.first("first name") or first,
        last=line.first("last name") or last,
        mail=mail,
        section=line.first("section", "sections"),
        gradescope=sid or mail,
    )


#: What tells the files apart, the narrowest first.
_KINDS = (
    (_canvas, ("student", "id", "section")),
    (_gradescope, ("sid", "email")),
    (_moodle, ("first name", "email address")),
    (_ours, ("id",)),
)


def _split(name: str) -> tuple[str, str]:
    """First and last name, of `Last, First` or `First Last`."""
    if "," in name:
        last, _, first = name.partition(",")
        return first.strip(), last.strip()
    first, _, last = name.rpartition(" ")
    return first.strip(), last.strip()


def merged(old: Roster, new: Roster, *, complete: bool) -> Roster:
    """The roster with what a newer file says. What that file does not know (groups, repositories) stays.

    `complete`: the file lists everybody, so who is not in it has left.
    """
    people: dict[str, Person] = {person.id: person for person in old.people}
    remarks, there = list(new.remarks), set()
    for person in new.people:
        known = people.get(person.id) or _the_same(person, old)
        if known is None and (named := _by_name(person, old, new)):
            if len(named) == 1 and named[0].id not in there:
                known = named[0]
                remarks.append(f"{person.id} is taken for {known.id}, who has the same name ({known.name})")
            else:
                others = " and ".join(one.id for one in named)
                remarks.append(f"{person.id} has the same name as {others} ({person.name}), and has a row of their own")
        said = {key: getattr(person, key) for key in COLUMNS if key not in ("id", "active") and getattr(person, key)}
        if known and not new.knows_who_left:
            said["active"] = known.active
            if not known.active:
                remarks.append(f"{known.id} has left, and stays so: who is back gets active = yes in the roster")
        new_one = replace(known, **{"active": person.active, **said}) if known else person
        people[new_one.id] = new_one
        there.add(new_one.id)
    if complete:
        people = {key: one if key in there else replace(one, active=False) for key, one in people.items()}
    return Roster(tuple(people.values()), tuple(remarks))


def _the_same(person: Person, old: Roster) -> Person | None:
    """Who has the same id in the same system, or the same mail."""
    ids = {key: getattr(person, key) for key in _SYSTEMS}
    return old.find(mail=person.mail, **ids)


def _by_name(person: Person, old: Roster, new: Roster) -> list[Person]:
    """Who could be the same person, by name: nothing that both files know says otherwise.

    Canvas knows a login, the others a number and a mail, so their exports often have nothing but the name in common.
    """
    if not (person.first and person.last):
        return []

    def clash(one: Person) -> bool:
        both = [(getattr(one, key), getattr(person, key)) for key in (*_SYSTEMS, "mail")]
        return any(here and there and here.casefold() != there.casefold() for here, there in both)

    same = [one for one in old.people if _letters(one.name) == _letters(person.name) and not clash(one)]
    twice = [one for one in new.people if one.id != person.id and _letters(one.name) == _letters(person.name)]
    return same + twice if same else []


def write_roster(people: Iterable[Person]) -> str:
    """Our own file."""
    rows: list[Sequence[object]] = [
        [("yes" if person.active else "no") if key == "active" else getattr(person, key) for key in COLUMNS]
        for person in people
    ]
    return write_table(COLUMNS, rows)
