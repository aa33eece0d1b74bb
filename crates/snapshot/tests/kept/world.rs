//! A scratch directory with a store, and effects to plan with.
use model::{
    AbsPath, Action, AsWritten, Effect, PathFacts, PathTarget, RefFacts, RepoFacts, Tri, path_facts,
};
use snapshot::{About, Budget, Git, NotTaken, Store, Taken, Undone, Wish, plan, settle, take, undo};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(1);

pub(crate) struct World {
    dir: tempfile::TempDir,
    pub(crate) store: Store,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("work")).unwrap();
        let store = Store::at(&dir.path().join("state/undo"));
        Self { dir, store }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn about(&self, now: i64) -> About {
        About {
            id: format!("{:08x}", NEXT.fetch_add(1, Ordering::SeqCst)),
            session: "s".to_owned(),
            call: Some("c".to_owned()),
            agent: "claude-code".to_owned(),
            now,
            cwd: abs(&self.root()),
            what: "a command".to_owned(),
        }
    }

    pub(crate) fn try_take(&self, effects: &[Effect], budget: &Budget) -> Result<Taken, NotTaken> {
        self.take_about(effects, budget, &self.about(1_000))
    }

    fn take_about(&self, effects: &[Effect], budget: &Budget, about: &About) -> Result<Taken, NotTaken> {
        take(&plan(effects).unwrap(), about, &self.store, budget, Some(&git_program()))
    }

    pub(crate) fn take(&self, effects: &[Effect]) -> String {
        self.try_take(effects, &Budget::default()).unwrap().id
    }

    pub(crate) fn take_at(&self, effects: &[Effect], now: i64) -> String {
        self.take_about(effects, &Budget::default(), &self.about(now)).unwrap().id
    }

    pub(crate) fn settle(&self, id: &str) {
        settle(&self.store, &self.store.find(id).unwrap()).unwrap();
    }

    pub(crate) fn undo(&self, id: &str, wish: Wish) -> Undone {
        let entry = self.store.find(id).unwrap();
        let program = git_program();
        let environment = environment(self.dir.path());
        let git = Git { program: &program, environment: &environment };
        undo(&self.store, &entry, wish, &self.about(2_000), Some(&git)).unwrap()
    }

    /// Runs git in the work tree.
    pub(crate) fn git<const N: usize>(&self, args: [&str; N]) -> String {
        let run = Command::new(git_program())
            .env_clear()
            .envs(environment(self.dir.path()))
            .current_dir(self.root())
            .args(["-c", "user.name=T", "-c", "user.email=t@example.com"])
            .args(args)
            .output()
            .unwrap();
        assert!(run.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    }
}

fn environment(home: &Path) -> Vec<(String, String)> {
    [
        ("HOME", home.to_str().unwrap()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_AUTHOR_NAME", "T"),
        ("GIT_AUTHOR_EMAIL", "t@example.com"),
        ("GIT_COMMITTER_NAME", "T"),
        ("GIT_COMMITTER_EMAIL", "t@example.com"),
        ("EDITOR", "true"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .to_vec()
}

fn git_program() -> PathBuf {
    let places = ["/usr/bin/git", "/usr/local/bin/git", "/opt/homebrew/bin/git"];
    places.iter().map(PathBuf::from).find(|p| p.exists()).expect("git")
}

pub(crate) fn abs(path: &Path) -> AbsPath {
    AbsPath::parse(path.to_str().unwrap()).unwrap()
}

fn facts(target: PathTarget) -> PathFacts {
    let facts = AsWritten::new(AbsPath::root(), AbsPath::root().join("home"));
    path_facts(&facts, target, true)
}

pub(crate) fn delete(path: &Path) -> Effect {
    Effect { action: Action::Delete(facts(PathTarget::Known(abs(path)))), span: None, remote: None }
}

pub(crate) fn write(path: &Path) -> Effect {
    Effect { action: Action::Write(facts(PathTarget::Known(abs(path)))), span: None, remote: None }
}

pub(crate) fn deletes_beneath(base: &Path, pattern: &str) -> Effect {
    let target = PathTarget::Under { base: abs(base), pattern: pattern.to_owned(), may_escape: false };
    Effect { action: Action::Delete(facts(target)), span: None, remote: None }
}

pub(crate) fn discard(repository: &Path, what: &str) -> Effect {
    let facts = RepoFacts {
        repository: repository.to_str().unwrap().to_owned(),
        what: what.to_owned(),
        dirty: Tri::Unknown,
        in_workspace: true,
    };
    Effect { action: Action::Discard(facts), span: None, remote: None }
}

pub(crate) fn rewrite(repository: &Path) -> Effect {
    let facts = RefFacts {
        repository: repository.to_str().unwrap().to_owned(),
        reference: "work".to_owned(),
        history: true,
        protected: false,
        pushed: Tri::Unknown,
    };
    Effect { action: Action::Rewrite(facts), span: None, remote: None }
}
