//! Whether a person is at this terminal, as far as a process can tell: not below an agent, not in a terminal that an
//! agent drives.
//!
//! What runs as the same user can lie about much. What it cannot change is who started it and whose terminal it has,
//! so that is what is looked at; where that cannot be traced and an agent was there before, the answer is no. An agent
//! that calls this command is stopped earlier, by its hook: using Ambit to decide is tampering with it.

use std::collections::BTreeSet;

/// Names of agents' programs.
const AGENTS: &[&str] = &[
    "claude",
    "codex",
    "gemini",
    "qwen",
    "opencode",
    "copilot",
    "cursor-agent",
    "aider",
    "goose",
    "amp",
    "crush",
    "droid",
    "kiro-cli",
    "openhands",
    "cline",
    "auggie",
];

/// Packages of agents that another program runs (`node …/cli.js`).
const PACKAGES: &[&str] = &[
    "@anthropic-ai/claude-code",
    "@openai/codex",
    "@google/gemini-cli",
    "@qwen-code/qwen-code",
    "@github/copilot",
    "opencode-ai",
];

/// Variables that agents set for what they start.
const MARKS: &[&str] = &[
    "CLAUDECODE",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_CODE_ENTRYPOINT",
    "AI_AGENT",
    "CODEX_SANDBOX",
    "CODEX_THREAD_ID",
    "GEMINI_CLI",
    "QWEN_CODE",
    "OPENCODE",
    "COPILOT_AGENT_SESSION_ID",
    "CURSOR_AGENT",
];

/// Programs that begin a person's terminal: logins, desktops, terminal emulators, containers.
const BEGINNINGS: &[&str] = &[
    "systemd",
    "init",
    "sshd",
    "sshd-session",
    "login",
    "agetty",
    "gnome-terminal-",
    "gnome-shell",
    "kgx",
    "konsole",
    "xterm",
    "kitty",
    "alacritty",
    "wezterm-gui",
    "foot",
    "ghostty",
    "ptyxis-agent",
    "xfce4-terminal",
    "terminator",
    "tilix",
    "containerd-shim",
    "conmon",
    "launchd",
];

/// Programs that hold terminals for whoever attaches, and can be started by anybody without one.
const MULTIPLEXERS: &[&str] =
    &["tmux", "tmux: server", "tmux: client", "screen", "SCREEN", "zellij", "dtach", "abduco"];

/// A process, as far as it matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) parent: u32,
    /// The number of its controlling terminal; 0 for none.
    pub(crate) terminal: u64,
    /// When it started, in ticks since the machine did.
    pub(crate) start: u64,
    pub(crate) name: String,
    pub(crate) words: Vec<String>,
    /// An agent's variable in its environment.
    pub(crate) mark: Option<String>,
}

impl Process {
    fn is_agent(&self) -> bool {
        let base = |word: &String| word.rsplit('/').next().unwrap_or(word).to_owned();
        // An interpreter's script is its second word.
        let bases: Vec<String> = self.words.iter().take(2).map(base).collect();
        AGENTS.iter().any(|a| self.name == *a || bases.iter().any(|b| b == a))
            || self.words.iter().take(3).any(|w| PACKAGES.iter().any(|p| w.contains(p)))
    }

    fn is(&self, names: &[&str]) -> bool {
        names.iter().any(|n| self.name == *n || (n.len() == 15 && self.name.starts_with(n)))
    }
}

/// The processes of a machine.
pub(crate) trait Processes {
    /// One; `None` when it is gone or cannot be seen.
    fn get(&self, pid: u32) -> Option<Process>;
    /// All that can be seen.
    fn all(&self) -> Vec<u32>;
    /// Those that hold the other end of a pseudo-terminal.
    fn drivers(&self, terminal: u64) -> Vec<u32>;
    /// Whether text can be put into a terminal's input by whatever runs in it (`dev.tty.legacy_tiocsti`).
    fn input_can_be_forged(&self) -> bool;
}

/// Why the process `me` may not speak for a person; `None` if it may. `typed` says whether its standard input is its
/// terminal.
pub(crate) fn refusal(processes: &dyn Processes, me: u32, typed: bool) -> Option<String> {
    let Some(own) = processes.get(me) else {
        return Some("this process cannot find out who started it (is `/proc` there?)".to_owned());
    };
    if let Some(why) = below_an_agent(processes, me) {
        return Some(why);
    }
    if own.terminal == 0 || !typed {
        return Some("nobody types here: it has no terminal of its own".to_owned());
    }
    driven(processes, me, own.terminal, 0)
}

/// The agent that started the process `me`, if one did; words for the refusal.
pub(crate) fn agent_above(processes: &dyn Processes, me: u32) -> Option<String> {
    if processes.get(me).is_none() {
        return Some("this process cannot find out who started it (is `/proc` there?)".to_owned());
    }
    below_an_agent(processes, me)
}

/// The chain from a process to the first of all, itself first.
fn chain(processes: &dyn Processes, from: u32) -> Vec<(u32, Process)> {
    let mut chain: Vec<(u32, Process)> = Vec::new();
    let mut pid = from;
    while pid > 0 && chain.len() < 256 && !chain.iter().any(|(seen, _)| *seen == pid) {
        let Some(process) = processes.get(pid) else { break };
        let parent = process.parent;
        chain.push((pid, process));
        pid = parent;
    }
    chain
}

fn below_an_agent(processes: &dyn Processes, from: u32) -> Option<String> {
    for (pid, process) in chain(processes, from) {
        if process.is_agent() {
            return Some(format!("it runs below the agent `{}` (process {pid})", process.name));
        }
        if let Some(mark) = &process.mark {
            return Some(format!(
                "`{mark}` is set for process {pid}, `{}`: an agent started it",
                process.name
            ));
        }
    }
    None
}

/// Whether an agent drives a terminal, or nobody can tell who does.
fn driven(processes: &dyn Processes, me: u32, terminal: u64, depth: u8) -> Option<String> {
    let agents: Vec<(u32, Process)> = processes
        .all()
        .into_iter()
        .filter_map(|pid| processes.get(pid).map(|p| (pid, p)))
        .filter(|(_, p)| p.is_agent())
        .collect();
    if processes.input_can_be_forged()
        && let Some((pid, agent)) = agents.iter().find(|(_, a)| a.terminal == terminal)
    {
        return Some(format!(
            "the agent `{}` (process {pid}) is in the same terminal, and this system lets it type there \
             (dev.tty.legacy_tiocsti is 1); use another terminal, or the console",
            agent.name
        ));
    }
    let drivers = processes.drivers(terminal);
    for driver in &drivers {
        if let Some(why) = below_an_agent(processes, *driver) {
            return Some(format!("what drives this terminal (process {driver}) is an agent's: {why}"));
        }
    }
    let first_agent = agents.iter().map(|(_, a)| a.start).min();
    for from in drivers.iter().copied().chain([me]) {
        let chain = chain(processes, from);
        // The last one that is not the first process of all.
        let top = chain.iter().rev().find(|(pid, p)| *pid != 1 && p.parent <= 1).or_else(|| chain.last());
        let Some((pid, top)) = top else { continue };
        if first_agent.is_none_or(|agent| top.start < agent) || top.is(BEGINNINGS) {
            continue;
        }
        if top.is(MULTIPLEXERS) && depth == 0 && attended(processes, *pid, terminal) {
            continue;
        }
        return Some(format!(
            "nobody can tell who drives this terminal: `{}` (process {pid}) has lost what started it, and an agent was \
             there before; use a terminal that you opened yourself, or the console",
            top.name
        ));
    }
    None
}

/// Whether somebody is attached to a multiplexer from a terminal that passes itself.
fn attended(processes: &dyn Processes, server: u32, inner: u64) -> bool {
    let clients = processes.all().into_iter().filter(|pid| *pid != server).filter_map(|pid| {
        let process = processes.get(pid)?;
        (process.is(MULTIPLEXERS) && process.terminal != 0 && process.terminal != inner)
            .then_some((pid, process))
    });
    let terminals: BTreeSet<(u64, u32)> = clients.map(|(pid, p)| (p.terminal, pid)).collect();
    !terminals.is_empty()
        && terminals.iter().all(|(terminal, pid)| {
            below_an_agent(processes, *pid).is_none() && driven(processes, *pid, *terminal, 1).is_none()
        })
}

/// This machine's processes, from `/proc`.
#[derive(Debug)]
pub(crate) struct Proc;

impl Processes for Proc {
    fn get(&self, pid: u32) -> Option<Process> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name is in parentheses and may hold any character: what follows the last one is fields.
        let (before, after) = stat.rsplit_once(')')?;
        let name = before.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = after.split_ascii_whitespace().collect();
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = words.split(|b| *b == 0).filter(|w| !w.is_empty()).take(4);
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mark = environment.split(|b| *b == 0).find_map(|variable| {
            let name = variable.split(|b| *b == b'=').next()?;
            MARKS.iter().find(|m| m.as_bytes() == name).map(|m| (*m).to_owned())
        });
        Some(Process {
            parent: fields.get(1)?.parse().ok()?,
            terminal: fields.get(4)?.parse().ok()?,
            start: fields.get(19)?.parse().ok()?,
            words: words.map(|w| String::from_utf8_lossy(w).into_owned()).collect(),
            name,
            mark,
        })
    }

    fn all(&self) -> Vec<u32> {
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()
    }

    fn drivers(&self, terminal: u64) -> Vec<u32> {
        // Device numbers as in `tty_nr`: minor 0-7 and 20-31, major 8-19; pseudo-terminals are majors 136 to 143.
        let (major, minor) = ((terminal >> 8) & 0xfff, (terminal & 0xff) | ((terminal >> 12) & 0xf_ff00));
        if !(136..=143).contains(&major) {
            return Vec::new();
        }
        let index = (major - 136) * 256 + minor;
        let holds = |pid: &u32| {
            let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
            files.flatten().any(|file| {
                let link = std::fs::read_link(file.path()).unwrap_or_default();
                if !link.ends_with("ptmx") {
                    return false;
                }
                let number = file.file_name();
                let info = format!("/proc/{pid}/fdinfo/{}", number.to_string_lossy());
                let info = std::fs::read_to_string(info).unwrap_or_default();
                let found = info.lines().find_map(|l| l.strip_prefix("tty-index:"));
                found.and_then(|n| n.trim().parse::<u64>().ok()) == Some(index)
            })
        };
        self.all().into_iter().filter(holds).collect()
    }

    fn input_can_be_forged(&self) -> bool {
        // Where the switch is missing the kernel is older than it, and the input can be forged.
        std::fs::read_to_string("/proc/sys/dev/tty/legacy_tiocsti").map_or(true, |text| text.trim() != "0")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(Default)]
    struct Machine {
        all: BTreeMap<u32, Process>,
        drivers: BTreeMap<u64, Vec<u32>>,
        forgeable: bool,
    }

    impl Processes for Machine {
        fn get(&self, pid: u32) -> Option<Process> {
            self.all.get(&pid).cloned()
        }
        fn all(&self) -> Vec<u32> {
            self.all.keys().copied().collect()
        }
        fn drivers(&self, terminal: u64) -> Vec<u32> {
            self.drivers.get(&terminal).cloned().unwrap_or_default()
        }
        fn input_can_be_forged(&self) -> bool {
            self.forgeable
        }
    }

    /// A line a process: number, parent, terminal, start, name.
    fn machine(lines: &[(u32, u32, u64, u64, &str)], drivers: &[(u64, u32)]) -> Machine {
        let mut machine = Machine::default();
        for (pid, parent, terminal, start, words) in lines {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            let name = words.first().cloned().unwrap_or_default().replace('_', " ");
            let process =
                Process { parent: *parent, terminal: *terminal, start: *start, name, words, mark: None };
            machine.all.insert(*pid, process);
        }
        for (terminal, pid) in drivers {
            machine.drivers.entry(*terminal).or_default().push(*pid);
        }
        machine
    }

    /// A desktop: a terminal emulator with two shells; in one of them runs an agent.
    const DESKTOP: &[(u32, u32, u64, u64, &str)] = &[
        (1, 0, 0, 0, "init"),
        (10, 1, 0, 1, "systemd"),
        (20, 10, 0, 5, "xterm"),
        (21, 20, 100, 6, "bash"),
        (22, 21, 100, 50, "claude"),
        (30, 10, 0, 60, "xterm"),
        (31, 30, 101, 61, "bash"),
        (32, 31, 101, 70, "ambit"),
    ];

    fn with(more: &[(u32, u32, u64, u64, &str)], drivers: &[(u64, u32)]) -> Machine {
        let all: Vec<_> = DESKTOP.iter().chain(more).copied().collect();
        let drivers: Vec<_> = [(100, 20), (101, 30)].iter().chain(drivers).copied().collect();
        machine(&all, &drivers)
    }

    #[test]
    fn a_person_in_another_terminal_may() {
        assert_eq!(refusal(&with(&[], &[]), 32, true), None);
        // Also in the agent's own terminal, while the agent waits or is stopped.
        assert_eq!(refusal(&with(&[(33, 21, 100, 71, "ambit")], &[]), 33, true), None);
        let forgeable = Machine { forgeable: true, ..with(&[(33, 21, 100, 71, "ambit")], &[]) };
        assert!(refusal(&forgeable, 33, true).unwrap().contains("same terminal"));
        assert_eq!(refusal(&forgeable, 32, true), None);
    }

    #[test]
    fn nobody_types() {
        let no_terminal = with(&[(33, 31, 0, 71, "ambit")], &[]);
        assert!(refusal(&no_terminal, 33, true).unwrap().contains("no terminal"));
        assert!(refusal(&with(&[], &[]), 32, false).is_some(), "input from a pipe");
        assert!(refusal(&with(&[], &[]), 99, true).is_some(), "a process that is not there");
    }

    #[test]
    fn an_agent_tries() {
        for (more, drivers, me) in [
            // Straight away.
            (vec![(40, 22, 100, 71, "bash"), (41, 40, 100, 72, "ambit")], vec![], 41),
            // Through an interpreter's package name.
            (
                vec![(40, 21, 100, 71, "node /x/@openai/codex/bin/codex.js"), (41, 40, 100, 72, "ambit")],
                vec![],
                41,
            ),
            // In a terminal of its own making.
            (
                vec![(40, 22, 0, 71, "script"), (41, 40, 102, 72, "bash"), (42, 41, 102, 73, "ambit")],
                vec![(102, 40)],
                42,
            ),
            // The command itself looks innocent, its terminal's other end is held by the agent.
            (vec![(40, 22, 0, 71, "python3"), (41, 1, 102, 72, "ambit")], vec![(102, 40)], 41),
            // Cut off from the agent, with nothing left that tells.
            (vec![(40, 1, 0, 71, "script"), (41, 40, 102, 72, "ambit")], vec![(102, 40)], 41),
            (
                vec![(39, 1, 0, 70, "sh"), (40, 39, 0, 71, "script"), (41, 40, 102, 72, "ambit")],
                vec![(102, 40)],
                41,
            ),
            // A multiplexer that nobody is attached to.
            (
                vec![(40, 1, 0, 71, "tmux:_server"), (41, 40, 102, 72, "bash"), (42, 41, 102, 73, "ambit")],
                vec![(102, 40)],
                42,
            ),
            // Attached from a terminal of the agent's making.
            (
                vec![
                    (40, 1, 0, 71, "tmux:_server"),
                    (42, 40, 102, 73, "ambit"),
                    (43, 1, 0, 71, "script"),
                    (44, 43, 103, 74, "tmux:_client"),
                ],
                vec![(102, 40), (103, 43)],
                42,
            ),
        ] {
            assert!(refusal(&with(&more, &drivers), me, true).is_some(), "{more:?}");
        }
        let mut marked = with(&[], &[]);
        marked.all.get_mut(&31).unwrap().mark = Some("CLAUDECODE".to_owned());
        assert!(refusal(&marked, 32, true).unwrap().contains("CLAUDECODE"));
    }

    #[test]
    fn a_person_in_a_multiplexer_may() {
        // Begun after the agent was, with the person attached from the second terminal.
        let more = [
            (40, 1, 0, 71, "tmux:_server"),
            (41, 31, 101, 71, "tmux:_client"),
            (42, 40, 102, 72, "bash"),
            (43, 42, 102, 73, "ambit"),
        ];
        assert_eq!(refusal(&with(&more, &[(102, 40)]), 43, true), None);
        // Begun before any agent was.
        let more = [(40, 1, 0, 3, "tmux:_server"), (42, 40, 102, 72, "ambit")];
        assert_eq!(refusal(&with(&more, &[(102, 40)]), 42, true), None);
    }

    #[test]
    fn this_machine_can_be_read() {
        let me = Proc.get(std::process::id()).unwrap();
        assert!(me.start > 0 && !me.words.is_empty() && Proc.all().contains(&std::process::id()));
        assert!(Proc.get(1).is_some_and(|first| first.parent == 0));
    }
}
