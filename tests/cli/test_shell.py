"""The program as a shell and its people meet it: completion, the manual page, pipes, mistyped words, and options that
mean the same everywhere.

    python3 test_shell.py SAETAP MAKE_STORE PRELOAD_LIBRARY
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from program_test import MAKE_STORE, SAETAP, StoreTest, clean_environment, run_tests, saetap

ROOT = Path(__file__).resolve().parents[2]


def help_of(*command: str) -> str:
    return saetap(*command, "--help").stdout


def commands() -> list[str]:
    listed = help_of().partition("Subcommands:\n")[2]
    return re.findall(r"^  (\w+) ", listed, re.MULTILINE)


def options_of(command: str) -> dict[str, tuple[str, str]]:
    """Of each option of a command, by its long name: what stands for its value ("N" for any number), and its description."""
    told = help_of(command).partition("Options:\n")[2].partition("\n\n")[0]
    found = {}
    for entry in re.split(r"\n  (?=-)", "\n" + told)[1:]:
        heading, description = re.split(r"\s{2,}", entry, maxsplit=1)
        names, _, value = heading.partition(" ")
        words = " ".join(description.split()).split(" (default")[0].split(" (required")[0]
        found[names.rpartition(",")[2]] = ("N" if value in ("INT", "UINT", "FLOAT", "X", "ROWS") else value, words)
    return found


def run_shell(command: list[str], script: str, cwd: Path) -> str:
    environment = clean_environment(PATH=f"{Path(SAETAP).parent}:{os.environ['PATH']}")
    done = subprocess.run([*command, script], capture_output=True, text=True, check=False, cwd=cwd, env=environment)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


class Consistency(StoreTest):
    def test_every_command_has_a_help_with_an_example_that_it_understands(self) -> None:
        self.assertGreaterEqual(set(commands()), {"record", "inspect", "index", "collect", "info", "features", "show",
                                                  "report", "merge", "agree", "export", "import", "completion", "man"})
        for command in commands():
            with self.subTest(command):
                text = self.ok(command, "--help")
                example = re.search(r"^Example: (.*)$", text, re.MULTILINE)[1]
                self.assertIn(f"saetap {command}", example)
                said = text.partition("Options:\n")[2]
                for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", example.partition(" -- ")[0].partition("|")[0]):
                    self.assertRegex(said, rf"(?<![\w-]){option}(?![\w-])")
                self.assertNotRegex(text, r"\b(UINT|INT|FLOAT|POSITIVE|REQUIRED)\b|:\{")  # CLI11's own words
                self.assertEqual([line for line in text.splitlines() if len(line) > 220], [])

    def test_the_same_option_has_the_same_value_and_the_same_words(self) -> None:
        found = {}
        for command in commands():
            for option, told in options_of(command).items():
                found.setdefault(option, {}).setdefault(told, []).append(command)
        for option, kinds in found.items():
            with self.subTest(option):
                self.assertLessEqual(len(kinds), 1 + len(OWN_WORDS.get(option, ())), kinds)
                self.assertEqual(len({value for value, _ in kinds}), 2 if option in OWN_VALUES else 1, kinds)

    def test_short_names_belong_to_one_option(self) -> None:
        short = {}
        for command in commands():
            for name, option in re.findall(r"^  (-\w),(--[a-z-]+)", help_of(command), re.MULTILINE):
                short.setdefault(name, set()).add(option)
        self.assertEqual({name: options for name, options in short.items() if len(options) > 1}, {})
        self.assertEqual(short["-o"], {"--output"})


# Commands that say an option in their own words, because what it is about is their own.
OWN_WORDS = {
    "--activations": ["index", "collect"],
    "--tokens": ["index", "collect"],
    "--mask": ["index", "collect"],
    "--omit-ids": ["index", "collect"],
    "--in-given-order": ["index", "collect"],
    "--tokenizer": ["collect", "import"],
    "--output": ["record", "collect", "index", "import", "report", "similar", "plot"],
    "--top": ["features", "agree", "export", "report", "similar", "cluster"],
    "--samples": ["plot"],
    "--context": ["plot", "collect"],
    "--site": ["agree", "export"],
    "--all-time": ["agree"],
    "--all": ["inspect", "export", "similar"],
    "--force": ["merge"],
    "--json": ["export", "plot"],
    "--format": ["export", "plot"],
    "--method": ["collect"],  # of an SAE; elsewhere of making a map
    "-k": ["collect"],
    "--by": ["similar", "cluster"],
    "--least": ["similar", "cluster"],
}

# A folder is no file, and what there is to choose from is a command's own.
OWN_VALUES = ("--output", "--format", "--method", "--by")


class Mistyped(StoreTest):
    def test_the_nearest_word_is_named(self) -> None:
        for typed, meant in (("feature", "features"), ("shwo", "show"), ("reprot", "report"), ("exprot", "export"),
                             ("comp", "completion" if "compare" not in commands() else "compare")):
            self.fails(2, f"there is no command {typed}; did you mean {meant}? (saetap --help)", typed)
        self.fails(2, "there is no option --tpo; did you mean --top? (saetap features --help)",
                   "features", self.usual, "--tpo", 3)
        self.fails(2, "there is no option --sotr; did you mean --sort? (saetap features --help)",
                   "features", self.usual, "--sotr=max")
        self.fails(2, "there is no option --toke; did you mean --tokenizer?", "show", self.usual, 0, "--toke", "x")

    def test_what_is_near_nothing_is_only_refused(self) -> None:
        self.fails(2, "there is no command zzzzzz (saetap --help)", "zzzzzz")
        self.fails(2, "there is no option --zzzzzz (saetap info --help)", "info", self.usual, "--zzzzzz")
        self.fails(2, "there is no command " + "x" * 300 + " (", "x" * 300)
        self.fails(2, "not expected: more", "info", self.usual, "more")
        self.fails(2, "\\x1B[31m", "\x1b[31m")


class Errors(StoreTest):
    """What is not there: one line, status 1 for a thing that was asked for, 2 for input that cannot be read."""

    def test_one_line_for_each(self) -> None:
        self.fails(2, "no such file", "info", self.folder / "none")
        self.fails(2, "no such file", "export", self.folder / "none")
        self.fails(1, "there is no feature 8; the site has 0 to 7", "show", self.usual, 8)
        self.fails(1, "there is no feature 8; the site has 0 to 7", "export", self.usual, "--features", 8)
        self.fails(1, "there is no site nothing", "features", self.usual, "--site", "nothing")
        done = saetap("show", self.usual, 0, "--tokenizer", self.folder / "none.json")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (0, 1))
        self.assertIn("none.json", done.stderr)
        self.assertIn("token ids are shown instead", done.stderr)

    def test_a_store_of_another_version(self) -> None:
        import sqlite3
        newer = self.folder / "newer"
        shutil.copytree(self.usual, newer)
        with sqlite3.connect(newer / "samples.saetap") as store:
            store.execute("PRAGMA user_version = 99")
        for command in (["info"], ["features"], ["show", 0], ["export"], ["report", "-o", "-"]):
            self.fails(2, "99", command[0], newer, *command[1:])


class Pipes(StoreTest):
    def run_piped(self, command: str, ignore: bool = False) -> subprocess.CompletedProcess:
        """`ignore`: started by who ignores SIGPIPE, as some schedulers do."""
        start = "trap '' PIPE; " if ignore else ""
        return subprocess.run(["bash", "-c", f"{start}set -o pipefail; {command}"], capture_output=True, text=True,
                              check=False, env=clean_environment(SAETAP=SAETAP))

    def test_who_reads_no_further_ends_it_quietly(self) -> None:
        for ignore in (False, True):
            for _ in range(20):
                done = self.run_piped(f'"$SAETAP" export {self.usual} --all | true', ignore)
                self.assertEqual(done.stderr, "")
                self.assertIn(done.returncode, (0, 128 + signal.SIGPIPE))

    def test_a_long_output_is_cut_by_head_without_a_word(self) -> None:
        man = self.run_piped('"$SAETAP" man | head -1')
        self.assertEqual(man.stderr, "")
        self.assertTrue(man.stdout.startswith(".TH SAETAP 1"))
        with tempfile.TemporaryFile("w+") as said:
            reader, writer = os.pipe()
            os.close(reader)  # nobody will ever read
            done = subprocess.run([SAETAP, "features", str(self.usual)], stdout=writer, stderr=said, check=False,
                                  preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))
            os.close(writer)
            said.seek(0)
            self.assertEqual((done.returncode, said.read()), (-signal.SIGPIPE, ""))

    def test_nothing_is_coloured_or_cut_in_a_pipe(self) -> None:
        for command in (["info", self.usual], ["features", self.usual], ["show", self.usual, 0],
                        ["compare", self.usual, 0, 1], ["similar", self.usual, 0], ["cluster", self.usual],
                        ["agree", self.usual, self.usual], ["report", self.usual, "-o", "-"]):
            text = self.ok(*command, COLUMNS="40")
            self.assertNotIn("\x1b", text)
        # All of the context, whatever its length.
        text = self.ok("features", self.usual, COLUMNS="40")
        self.assertIn("«nod»ding * | a↵b \\x1B[31m <b>.", text)


class Json(StoreTest):
    """Every key that any command prints with --json is told of in docs/json_output.md."""

    # What is behind STORE and the like. A command with --json that is not here fails the test.
    def arguments(self) -> dict[str, list[list[object]]]:
        out, store = self.folder / "out", self.usual
        data = self.folder / "samples.json"
        data.write_text(saetap("export", store).stdout, encoding="utf-8")
        for rank in ("rank0", "rank1"):
            subprocess.run([MAKE_STORE, rank, str(self.folder / rank)], check=True)
        return {
            "info": [[store], [self.folder / "no_tokens", "--all-time"]],
            "features": [[store]],
            "show": [[store, 0], [store, 7], [self.folder / "no_tokens", 0]],
            "compare": [[store, 0, 1], [store, 0, 7], [self.folder / "no_tokens", 0, 1]],
            "similar": [[store, 0], [store, 7], [store, "--all", "--least", 0], [store, "--all", "--top", 2]],
            "cluster": [[store], [store, "--by", "places"]],
            "map": [[store]],
            "plot": [[store, "density"], [store, "max-density"], [store, "map"], [store, "distribution"],
                     [store, "distribution", 0], [store, "samples", 0], [store, "windows", 0]],
            "agree": [[store, store, "--top", 3]],
            "report": [[store], [self.folder / "no_tokens"]],
            "merge": [[self.folder / "merged.saetap", self.folder / "rank0", self.folder / "rank1"]],
            "export": [[store, "-o", out]],
            "import": [[data, "-o", self.folder / "imported.saetap"]],
        }

    def keys(self, value: object) -> set[str]:
        if isinstance(value, dict):
            return set(value) | set().union(*(self.keys(one) for one in value.values()), set())
        if isinstance(value, list):
            return set().union(*(self.keys(one) for one in value), set())
        return set()

    def test_every_key_is_documented(self) -> None:
        told = set(re.findall(r"`\"?([a-z0-9_]+)\"?`", (ROOT / "docs/json_output.md").read_text(encoding="utf-8")))
        tried = self.arguments()
        with_json = {command for command in commands() if "--json" in options_of(command)}
        # Told of by tests of their own: they need LibTorch, and what they read is made with PyTorch.
        self.assertEqual(with_json - {"inspect", "index"}, set(tried))
        for command, lines in tried.items():
            for line in lines:
                with self.subTest(command=command):
                    done = saetap(command, *line, "--json")
                    self.assertEqual(done.returncode, 0, done.stderr)
                    keys = {key for key in self.keys(json.loads(done.stdout)) if not key.isdigit()}
                    self.assertEqual(keys - told, set())
        for line in saetap("export", self.usual, "--format", "jsonl").stdout.splitlines():
            self.assertEqual(self.keys(json.loads(line)) - told, set())


class Completion(StoreTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        (cls.folder / "two words.saetap").touch()

    def bash(self, *words: str) -> list[str]:
        """What bash offers behind these words, of which the last is being typed."""
        quoted = " ".join("'" + word + "'" for word in words)
        script = (f'source <("{SAETAP}" completion bash); COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; '
                  '_saetap; printf "%s\\n" "${COMPREPLY[@]}"')
        return [line for line in run_shell(["bash", "-c"], script, self.folder).splitlines() if line]

    def test_bash_completes_commands_options_and_values(self) -> None:
        self.assertEqual(set(self.bash("saetap", "")), {*commands(), "--help", "--version"})
        self.assertEqual(self.bash("saetap", "feat"), ["features"])
        self.assertEqual(self.bash("saetap", "features", "usual", "--so"), ["--sort"])
        self.assertEqual(self.bash("saetap", "features", "usual", "--sort", ""), ["max", "mean", "density", "count"])
        self.assertEqual(self.bash("saetap", "features", "usual", "--sort", "=", "me"), ["mean"])
        self.assertEqual(self.bash("saetap", "features", "usual", "--sort", "="), ["max", "mean", "density", "count"])
        self.assertEqual(self.bash("saetap", "export", "usual", "--format", "c"), ["csv"])
        self.assertEqual(self.bash("saetap", "features", "usual", "--top", ""), [])
        self.assertEqual(self.bash("saetap", "completion", "z"), ["zsh"])
        self.assertEqual(self.bash("saetap", "nothing", "x"), [])
        for command in commands():
            offered = self.bash("saetap", command, "--")
            self.assertEqual(set(offered), {option for option in options_of(command) if option.startswith("--")}, command)

    def test_bash_completes_files_where_files_are_named(self) -> None:
        stores = {"usual", "two_sites", "no_tokens", "own_text", "no_site", "two words.saetap"}
        self.assertEqual(set(self.bash("saetap", "features", "")), stores)
        self.assertEqual(self.bash("saetap", "show", "us"), ["usual"])
        self.assertEqual(self.bash("saetap", "show", "usual", ""), [])  # a number
        self.assertEqual(self.bash("saetap", "show", "--samples", "3", "us"), ["usual"])
        self.assertEqual(self.bash("saetap", "merge", "all", "usual", "two "), ["two words.saetap"])
        self.assertEqual(self.bash("saetap", "report", "usual", "-o", "us"), ["usual"])
        self.assertEqual(set(self.bash("saetap", "record", "-o", "two")), {"two_sites"})  # folders alone
        self.assertIn("bash", self.bash("saetap", "record", "--config", "x", "--", "bas"))
        self.assertEqual(self.bash("saetap", "record", "--", "bash", "us"), ["usual"])

    def test_zsh_reads_its_script(self) -> None:
        script = self.folder / "zsh" / "_saetap"
        script.parent.mkdir(exist_ok=True)
        script.write_text(self.ok("completion", "zsh"), encoding="utf-8")
        subprocess.run(["zsh", "-n", script], check=True)
        # _arguments itself says what it makes of each command's options.
        self.assertTrue(script.read_text(encoding="utf-8").startswith("#compdef saetap\n"))

    def zsh(self, line: str) -> str:
        """What is on the line after a tab, in a zsh on a terminal of its own."""
        script = self.folder / "zsh" / "_saetap"
        script.parent.mkdir(exist_ok=True)
        script.write_text(self.ok("completion", "zsh"), encoding="utf-8")
        startup = self.folder / "zsh" / ".zshrc"
        startup.write_text(
            f"PROMPT=READY; path=({Path(SAETAP).parent} $path); fpath=({script.parent} $fpath)\n"
            "autoload -Uz compinit; compinit -u -D; unsetopt beep\n"
            "shown() { print -r -- \"<$BUFFER>\"; exit }; zle -N shown; bindkey '^X' shown\n", encoding="utf-8")
        program = f"""
            zmodload zsh/zpty
            zpty shell 'ZDOTDIR={script.parent} TERM=dumb zsh -i'
            zpty -r -m shell line '*READY*' || exit 1
            zpty -w -n shell '{line}'$'\\t'
            zpty -w -n shell $'\\C-x'
            zpty -r -m shell line '*\\<*\\>*' || exit 1
            print -r -- $line"""
        out = run_shell(["zsh", "-f", "-c"], program, self.folder)
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out).rpartition("<")[2].partition(">")[0]

    def test_zsh_completes(self) -> None:
        self.assertEqual(self.zsh("saetap feat"), "saetap features ")
        self.assertEqual(self.zsh("saetap features usual --sort de"), "saetap features usual --sort density ")
        self.assertEqual(self.zsh("saetap features us"), "saetap features usual/")


class Manual(StoreTest):
    def test_it_is_sound_and_has_every_command_and_option(self) -> None:
        page = self.folder / "saetap.1"
        page.write_text(self.ok("man"), encoding="utf-8")
        checked = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, check=False)
        self.assertEqual((checked.returncode, checked.stdout), (0, ""))
        shown = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=200", page], capture_output=True, text=True, check=True)
        text = re.sub(".\b", "", shown.stdout)
        for section in ("NAME", "SYNOPSIS", "COMMANDS", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"):
            self.assertRegex(text, rf"(?m)^{section}$")
        for command in commands():
            begin = re.search(rf"(?m)^   saetap {command}\b", text)
            self.assertIsNotNone(begin, command)
            section = re.split(r"(?m)^   saetap |^[A-Z]", text[begin.end():])[0]
            for option in set(options_of(command)) - {"--help"}:
                self.assertIn(option, section, command)
            self.assertIn(re.search(r"Example: (.*)", help_of(command))[1], " ".join(section.split()).replace("\u2010", "-"))
        for variable in ("SAETAP_CONFIG", "SAETAP_OUTPUT_DIR", "SAETAP_LIBRARY_DIR"):
            self.assertIn(variable, text)

    def test_an_installed_program_has_all_three(self) -> None:
        build = Path(SAETAP).parents[1]
        subprocess.run(["cmake", "--build", build, "--target", "saetap_share"], check=True, capture_output=True)
        for path, arguments in (("share/saetap.bash", ["completion", "bash"]), ("share/_saetap", ["completion", "zsh"]),
                                ("share/saetap.1", ["man"])):
            self.assertEqual((build / path).read_text(encoding="utf-8"), self.ok(*arguments))


if __name__ == "__main__":
    run_tests()
