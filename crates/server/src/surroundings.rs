//! What the console needs to know and the program around it finds out: the state of the guard, the policy in force,
//! what a call would come to.

use model::VerdictKind;

/// How a finding is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Good,
    /// Worth knowing.
    Warning,
    /// To be mended.
    Problem,
}

/// A line of `ambit doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How it is to be taken.
    pub level: Level,
    /// What was found.
    pub what: String,
    /// What to do; empty if nothing.
    pub mend: String,
}

/// Findings about one thing: an agent, or Ambit itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Its name.
    pub name: String,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// A source of the policy in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The layer: floor, organisation, preset, repository, session.
    pub layer: String,
    /// Its file, or what stands for it.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The policy in force.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyInForce {
    /// Its digest.
    pub version: String,
    /// `observe` or `enforce`.
    pub mode: String,
    /// For which workspace.
    pub workspace: String,
    /// What is told about it.
    pub notices: Vec<String>,
    /// Its sources.
    pub sources: Vec<Source>,
}

/// An effect of a call that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriedEffect {
    /// What it does, in words.
    pub words: String,
    /// The verdict on it.
    pub verdict: VerdictKind,
    /// The rule that decides on it.
    pub rule: String,
    /// Its place in the command, in bytes.
    pub span: Option<(usize, usize)>,
}

/// What a call would come to; nothing ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The verdict.
    pub verdict: VerdictKind,
    /// The rule that decides.
    pub rule: String,
    /// Its layer.
    pub layer: String,
    /// Why.
    pub reason: String,
    /// A safer way.
    pub instead: Option<String>,
    /// Who would have to agree.
    pub approvers: Vec<String>,
    /// The command as understood, where that differs.
    pub canonical: Option<String>,
    /// The place in the command that decides, in bytes.
    pub risky: Option<(usize, usize)>,
    /// Its effects.
    pub effects: Vec<TriedEffect>,
}

/// The program around the console. Its answers may take a while: they are asked for away from the tasks that answer.
pub trait Surroundings: Send + Sync {
    /// Whether the guard is on: what `ambit doctor` says.
    fn examine(&self) -> Vec<Examined>;

    /// The policy in force.
    ///
    /// # Errors
    /// Why there is none, for the person.
    fn policy(&self) -> Result<PolicyInForce, String>;

    /// What a command would come to in a directory, by the policy in force. Nothing runs and nothing is recorded.
    ///
    /// # Errors
    /// Why it cannot be said, for the person.
    fn try_call(&self, command: &str, directory: &str) -> Result<Tried, String>;
}
