//! `ambit secrets set|list|rm|import|grant|revoke|unlock|lock`: keeping secrets and saying who may have one lent.

use crate::commands::approvals::{a_person_is_here, no_agent_above};
use crate::commands::init::confirmed;
use crate::commands::story::Clock;
use crate::environment;
use crate::output::style::{self, paint};
use crate::output::{complain, line};
use anyhow::{Context as _, Result, bail};
use guard::{Roots, Settings};
use jiff::{SignedDuration, Timestamp};
use ledger::{Durability, Kind, Ledger, Options, Record};
use model::{BackendTerms, Delivery, LendTerms, Placement};
use std::collections::BTreeMap;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vault::{Backend, Grant, Grants, Identity, Leases, Name, Programs, Unlocked, Value};

/// What can be done with secrets that are kept.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Keep a secret; its value is typed, or read from standard input
    Set(Set),
    /// List the secrets that are kept or may be lent; never a value
    List,
    /// Remove a secret
    Rm(Which),
    /// Keep every value of a `.env` file
    Import(Import),
    /// Let a program have a secret for a time
    Grant(GrantArgs),
    /// Take back a grant (`G3`), all grants and leases of a secret, or one lease
    Revoke {
        /// The grant, the secret, or the lease
        which: String,
    },
    /// Open the encrypted file for a time, by its passphrase
    Unlock {
        /// For how long: `8h`, `30m`
        #[arg(long = "for", default_value = "8h", value_name = "TIME")]
        time: String,
    },
    /// Forget the passphrase
    Lock,
}

/// A secret.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// The secret
    name: String,
    /// Do it without asking
    #[arg(long, short)]
    yes: bool,
}

/// `ambit secrets set`.
#[derive(Debug, clap::Args)]
pub(crate) struct Set {
    /// The name by which it is lent: `secret://NAME`
    name: String,
}

/// `ambit secrets import`.
#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// The file
    file: PathBuf,
    /// What the secrets' names begin with, such as `shop-`
    #[arg(long, default_value = "")]
    prefix: String,
    /// Only these variables; can be given several times
    #[arg(long, value_name = "VARIABLE")]
    only: Vec<String>,
    /// Write references in place of the values into the file
    #[arg(long)]
    replace: bool,
}

/// `ambit secrets grant`.
#[derive(Debug, clap::Args)]
pub(crate) struct GrantArgs {
    /// The secret
    name: String,
    /// The program that may have it; can be given several times
    #[arg(long, required = true)]
    program: Vec<String>,
    /// A host that its value may be sent to; can be given several times
    #[arg(long)]
    host: Vec<String>,
    /// A method of requests; can be given several times, any without it
    #[arg(long)]
    method: Vec<String>,
    /// The beginning of a path of requests; can be given several times, any without it
    #[arg(long)]
    path: Vec<String>,
    /// How long the grant holds
    #[arg(long = "for", default_value = "2h", value_name = "TIME")]
    time: String,
    /// How often it may be used under one lease
    #[arg(long)]
    uses: Option<u32>,
    /// The variable that holds it in the process
    #[arg(long)]
    variable: Option<String>,
    /// Put the value itself into the process's environment, not a stand-in
    #[arg(long)]
    environment: bool,
    /// Let it stand in the body or query of a request too, not only in headers
    #[arg(long)]
    anywhere: bool,
    /// Why
    #[arg(long, value_name = "TEXT")]
    why: String,
}

pub(crate) fn run(command: Command) -> Result<ExitCode> {
    let here = Here::find()?;
    match command {
        Command::Set(args) => here.set(&args),
        Command::List => here.list(),
        Command::Rm(args) => here.remove(&args),
        Command::Import(args) => here.import(&args),
        Command::Grant(args) => here.grant(args),
        Command::Revoke { which } => here.revoke(&which),
        Command::Unlock { time } => here.unlock(&time),
        Command::Lock => {
            here.unlocked.forget()?;
            line("the passphrase is forgotten; `ambit secrets unlock` asks for it again");
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The secrets of this machine, and what its configuration says of them.
pub(crate) struct Here {
    roots: Roots,
    settings: Settings,
    dir: PathBuf,
    programs: Programs,
    pub(crate) unlocked: Unlocked,
    now: Timestamp,
}

impl Here {
    pub(crate) fn find() -> Result<Self> {
        let roots = environment::roots()?;
        let workspace = guard::workspace_of(&environment::current_dir()?, roots.home.as_ref());
        let settings = Settings::load(&roots, &workspace)?;
        Ok(Self::of(roots, settings))
    }

    pub(crate) fn of(roots: Roots, settings: Settings) -> Self {
        Self {
            dir: roots.state.join("vault"),
            programs: environment::programs(),
            unlocked: Unlocked::new(environment::runtime_dir(&roots).join("unlocked")),
            now: Timestamp::now(),
            settings,
            roots,
        }
    }

    /// Where grants, leases and the encrypted file lie.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Ambit's state.
    pub(crate) fn state(&self) -> &Path {
        &self.roots.state
    }

    /// What is configured of secrets.
    pub(crate) fn terms(&self) -> &model::SecretTerms {
        &self.settings.config.secrets
    }

    /// Whether terms let a program have a secret.
    pub(crate) fn fits(&self, secret: &str, program: &str) -> bool {
        let grants = Grants::new(&self.dir).list(self.now).unwrap_or_default();
        let fits =
            |name: Name| vault::allowance(self.terms(), &grants, &vault::Wish { secret: &name, program });
        secret.parse().is_ok_and(|name| fits(name).is_ok())
    }

    /// The backend, and the key there, of a secret.
    pub(crate) fn backend(&self, name: &Name) -> Result<(Box<dyn Backend>, String)> {
        let terms = self.settings.config.secrets.lend.get(name.as_str());
        let from = terms.and_then(|t| t.from.as_deref()).unwrap_or("file");
        let key = terms.and_then(|t| t.key.clone()).unwrap_or_else(|| name.to_string());
        let described = match self.settings.config.secrets.backends.get(from) {
            Some(described) => described.clone(),
            None if from == "file" => BackendTerms::File {},
            None => return Err(vault::VaultError::NoBackend(from.to_owned()).into()),
        };
        let backend = vault::open(&described, self.dir.clone(), &self.programs, &self.unlocked, self.now)?;
        Ok((backend, key))
    }

    fn record(&self, kind: Kind, fields: &[(&'static str, String)]) -> Result<()> {
        let person = environment::person();
        let mut record = Record::new(kind).subject(person.subject).seal("person", person.login);
        for (name, text) in fields {
            record = record.with(*name, text.as_str());
        }
        let ledger = Ledger::open(&self.roots.state, Options::default())?;
        let _recorded = ledger.append(&record, Durability::Durable, self.now)?;
        Ok(())
    }

    /// Makes the key of the encrypted file where there is none: in the keyring if there is one, else under a passphrase.
    fn begin(&self) -> Result<()> {
        if Identity::is_there(&self.dir) {
            return Ok(());
        }
        match Identity::create_in_keyring(&self.dir, &self.programs) {
            Ok(_) => complain("the encrypted file's key lies in the keyring of your login"),
            Err(why) => {
                complain(format!(
                    "{} the keyring cannot keep the key: {why}",
                    paint(style::WARNING, "note:")
                ));
                let first = self.typed("A passphrase for the encrypted file: ")?;
                if self.typed("Again: ")? != first {
                    bail!("the two differ; nothing was kept");
                }
                let identity = Identity::create_with_passphrase(&self.dir, first.into())?;
                self.unlocked.put(&identity, self.now + SignedDuration::from_hours(8))?;
                complain("it is open for 8 hours; later `ambit secrets unlock` asks for the passphrase");
            }
        }
        Ok(())
    }

    fn typed(&self, question: &str) -> Result<String> {
        a_person_is_here()?;
        let text = rpassword::prompt_password(question).context("there is no terminal to type at")?;
        if text.is_empty() {
            bail!("nothing was typed; nothing was kept");
        }
        Ok(text)
    }

    fn set(&self, args: &Set) -> Result<ExitCode> {
        no_agent_above()?;
        let name: Name = args.name.parse()?;
        let (backend, key) = self.backend(&name)?;
        if backend.word() == "the encrypted file" {
            self.begin()?;
        }
        let value = if std::io::stdin().is_terminal() {
            self.typed(&format!("Value of {name} (not shown): "))?.into_bytes()
        } else {
            let mut bytes = Vec::new();
            std::io::stdin().lock().take(1 << 20).read_to_end(&mut bytes)?;
            while bytes.last().is_some_and(|b| matches!(b, b'\n' | b'\r')) {
                bytes.pop();
            }
            bytes
        };
        if value.is_empty() {
            bail!("the value is empty; nothing was kept");
        }
        backend.write(&key, &Value::from(value))?;
        self.record(Kind::SECRET_KEPT, &[("secret", name.to_string()), ("where", backend.word())])?;
        line(format!("kept in {}; refer to it as secret://{name}", backend.word()));
        if !self.settings.config.secrets.lend.contains_key(name.as_str()) {
            line(format!(
                "nobody may have it yet: `ambit secrets grant {name} --program … --host … --why …`, or [secrets.lend.{name}] in ambit.toml"
            ));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn list(&self) -> Result<ExitCode> {
        let clock = Clock::system();
        let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let (file, _) = self.backend(&"x".parse()?)?;
        match file.list() {
            Ok(keys) => rows.extend(keys.into_iter().map(|key| (key, Vec::new()))),
            Err(why) => complain(format!("{} {why}", paint(style::WARNING, "note:"))),
        }
        for (name, terms) in &self.settings.config.secrets.lend {
            let from = terms.from.as_deref().unwrap_or("file");
            rows.entry(name.clone()).or_default().push(format!("ambit.toml, from `{from}`: {}", told(terms)));
        }
        for grant in Grants::new(&self.dir).list(self.now)? {
            let text = format!(
                "{} by {} until {}: {} ({})",
                grant.id,
                grant.by,
                clock.time(grant.until),
                told(&grant.terms),
                grant.why
            );
            rows.entry(grant.secret.to_string()).or_default().push(text);
        }
        let live = Leases::new(&self.dir).list()?;
        for lease in live.iter().filter(|lease| lease.check(self.now).is_ok()) {
            let text =
                format!("lent now to {} (lease {}), used {} times", lease.program, lease.id, lease.used);
            rows.entry(lease.secret.to_string()).or_default().push(text);
        }
        if rows.is_empty() {
            line("no secret is kept; `ambit secrets set NAME` keeps one");
        }
        for (name, notes) in rows {
            line(format!("secret://{name}"));
            if notes.is_empty() {
                line("  nobody may have it");
            }
            for note in notes {
                line(format!("  {note}"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn remove(&self, args: &Which) -> Result<ExitCode> {
        no_agent_above()?;
        let name: Name = args.name.parse()?;
        if !confirmed(args.yes, &format!("remove secret://{name} for good?"))? {
            line("nothing was removed");
            return Ok(ExitCode::from(1));
        }
        let (backend, key) = self.backend(&name)?;
        let was = backend.remove(&key)?;
        let gone = Grants::new(&self.dir).revoke(name.as_str())?;
        if was || !gone.is_empty() {
            self.record(Kind::SECRET_REMOVED, &[("secret", name.to_string()), ("where", backend.word())])?;
        }
        line(if was {
            format!("secret://{name} is removed")
        } else {
            format!("there was no secret://{name}")
        });
        Ok(ExitCode::from(u8::from(!was)))
    }

    fn import(&self, args: &Import) -> Result<ExitCode> {
        no_agent_above()?;
        let bytes = fs_err::read(&args.file)?;
        let text = String::from_utf8(bytes).context("the file is not UTF-8 text")?;
        let mut found: Vec<(String, Name, String)> = Vec::new();
        for pair in dotenvy::from_read_iter(text.as_bytes()) {
            // The error's own text holds the line, and so the secret.
            let Ok((variable, value)) = pair else {
                bail!("`{}` is not a .env file: a line is not NAME=VALUE", args.file.display());
            };
            let wanted = args.only.is_empty() || args.only.contains(&variable);
            if wanted && !value.is_empty() && vault::references(&value).is_empty() {
                let name = format!("{}{}", args.prefix, variable.to_ascii_lowercase()).parse()?;
                found.push((variable, name, value));
            }
        }
        if found.is_empty() {
            bail!("`{}` holds no value to keep", args.file.display());
        }
        let (backend, _) = self.backend(&"x".parse()?)?;
        if backend.word() == "the encrypted file" {
            self.begin()?;
        }
        for (variable, name, value) in &found {
            let (backend, key) = self.backend(name)?;
            backend.write(&key, &Value::from(value.clone().into_bytes()))?;
            self.record(Kind::SECRET_KEPT, &[("secret", name.to_string()), ("where", backend.word())])?;
            line(format!("{variable}=secret://{name}"));
        }
        if args.replace {
            replace(&args.file, &text, &found)?;
            line(format!(
                "`{}` holds references now; run what needs them as `ambit run`",
                args.file.display()
            ));
        } else {
            complain("the file still holds the values; --replace writes the references above into it");
        }
        Ok(ExitCode::SUCCESS)
    }

    fn grant(&self, args: GrantArgs) -> Result<ExitCode> {
        a_person_is_here()?;
        let name: Name = args.name.parse()?;
        if args.why.trim().is_empty() {
            bail!("--why is empty; whoever reads the record later wants to know");
        }
        for host in &args.host {
            egress::HostRule::read("grant", host)?;
        }
        let how = if args.environment { Delivery::Environment } else { Delivery::Sentinel };
        if how == Delivery::Sentinel && args.host.is_empty() {
            bail!(
                "say which host the value may be sent to: --host NAME (or --environment, without a stand-in)"
            );
        }
        let places = if args.anywhere {
            vec![Placement::Header, Placement::Basic, Placement::Query, Placement::Body]
        } else {
            Vec::new()
        };
        let terms = LendTerms {
            how,
            variable: args.variable,
            programs: args.program,
            hosts: args.host,
            methods: args.method,
            paths: args.path,
            places,
            uses: args.uses,
            ..LendTerms::default()
        };
        let grant = Grant {
            id: String::new(),
            secret: name.clone(),
            terms,
            until: self.now + length(&args.time)?,
            by: environment::person().login,
            why: args.why.trim().to_owned(),
        };
        let grant = Grants::new(&self.dir).add(grant, self.now)?;
        self.record(
            Kind::SECRET_GRANTED,
            &[
                ("secret", name.to_string()),
                ("grant", grant.id.clone()),
                ("to", told(&grant.terms)),
                ("until", grant.until.to_string()),
                ("why", grant.why.clone()),
            ],
        )?;
        let clock = Clock::system();
        line(format!(
            "{}: secret://{name} until {}: {}",
            grant.id,
            clock.time(grant.until),
            told(&grant.terms)
        ));
        Ok(ExitCode::SUCCESS)
    }

    fn revoke(&self, which: &str) -> Result<ExitCode> {
        let gone = Grants::new(&self.dir).revoke(which)?;
        let leases = Leases::new(&self.dir);
        let mut ended = 0;
        for lease in leases.list()? {
            let of_grant = gone.iter().any(|g| g.id == lease.terms);
            if lease.id == which || lease.secret.as_str() == which || of_grant {
                leases.revoke(&lease.id)?;
                ended += 1;
            }
        }
        for grant in &gone {
            let fields = [("secret", grant.secret.to_string()), ("grant", grant.id.clone())];
            self.record(Kind::SECRET_REVOKED, &fields)?;
        }
        if gone.is_empty() && ended == 0 {
            line(format!("`{which}` names no grant, secret or lease in force"));
            return Ok(ExitCode::from(1));
        }
        line(format!("taken back: {} grants, {ended} leases", gone.len()));
        Ok(ExitCode::SUCCESS)
    }

    fn unlock(&self, time: &str) -> Result<ExitCode> {
        no_agent_above()?;
        if !Identity::needs_passphrase(&self.dir)? {
            line(
                "the encrypted file needs no passphrase here: its key lies in the keyring, or there is none yet",
            );
            return Ok(ExitCode::SUCCESS);
        }
        let until = self.now + length(time)?;
        let passphrase = self.typed("Passphrase of the encrypted file: ")?;
        let identity = Identity::open_with_passphrase(&self.dir, passphrase.into())?;
        self.unlocked.put(&identity, until)?;
        line(format!("open until {}", Clock::system().time(until)));
        Ok(ExitCode::SUCCESS)
    }
}

/// A length of time, such as `2h` or `1h30m`, up to 30 days.
fn length(text: &str) -> Result<SignedDuration> {
    let length: SignedDuration =
        text.parse().with_context(|| format!("`{text}` is no length of time; write `30m` or `8h`"))?;
    if length <= SignedDuration::ZERO || length > SignedDuration::from_hours(30 * 24) {
        bail!("`{text}` is not between a second and 30 days");
    }
    Ok(length)
}

/// Terms in a line.
fn told(terms: &LendTerms) -> String {
    let how = match terms.how {
        Delivery::Sentinel => "a stand-in",
        Delivery::Environment => "the value in the environment",
    };
    let mut out = format!("{} may have {how}", terms.programs.join(", "));
    if !terms.hosts.is_empty() {
        out.push_str(&format!(" for {}", terms.hosts.join(", ")));
    }
    let what: Vec<&str> = terms.methods.iter().chain(&terms.paths).map(String::as_str).collect();
    if !what.is_empty() {
        out.push_str(&format!(" ({})", what.join(" ")));
    }
    if let Some(uses) = terms.uses {
        out.push_str(&format!(", {uses} times"));
    }
    if terms.ask {
        out.push_str(", with consent");
    }
    out
}

/// Writes references in place of the values that were kept, and leaves every other byte as it is.
fn replace(file: &Path, text: &str, found: &[(String, Name, String)]) -> Result<()> {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let bare = rest.trim_start_matches([' ', '\t']);
        let bare = bare.strip_prefix("export ").map_or(bare, str::trim_start);
        let line_end = rest.find('\n').map_or(rest.len(), |at| at + 1);
        let hit = found.iter().find(|(variable, _, _)| {
            bare.strip_prefix(variable.as_str()).is_some_and(|after| after.trim_start().starts_with('='))
        });
        let Some((_, name, value)) = hit else {
            let (this, next) = rest.split_at(line_end);
            out.push_str(this);
            rest = next;
            continue;
        };
        let equals = rest.find('=').map_or(line_end, |at| at + 1);
        // A quoted value may go over several lines.
        let lines = value.matches('\n').count();
        let end = rest.match_indices('\n').nth(lines).map_or(rest.len(), |(at, _)| at);
        let (begin, after) = (rest.get(..equals).unwrap_or_default(), rest.get(end..).unwrap_or_default());
        out.push_str(&format!("{begin}secret://{name}"));
        rest = after;
    }
    // What is written is read again before the file is touched: no value may be left, none may be lost.
    let again: Vec<_> = dotenvy::from_read_iter(out.as_bytes()).collect::<Result<_, _>>().unwrap_or_default();
    let whole = found.iter().all(|(variable, name, _)| {
        again.iter().any(|(v, value)| v == variable && *value == format!("secret://{name}"))
    });
    if !whole || again.len() != dotenvy::from_read_iter(text.as_bytes()).count() {
        bail!(
            "the values are kept, but `{}` is written in a way that cannot be changed safely; put the references above into it by hand",
            file.display()
        );
    }
    let dir = file.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(dir)?;
    std::io::Write::write_all(&mut new, out.as_bytes())?;
    new.as_file().set_permissions(fs_err::metadata(file)?.permissions())?;
    new.as_file().sync_all()?;
    new.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_take_the_place_of_values_and_nothing_else_changes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(".env");
        let text = "# settings\nexport TOKEN=abc # why\nURL=http://x\nKEY=\"a\nb\"\n\nEMPTY=\nTOKEN_2='q'\n";
        std::fs::write(&file, text).unwrap();
        let found = [("TOKEN", "abc"), ("KEY", "a\nb"), ("TOKEN_2", "q")]
            .map(|(v, value)| (v.to_owned(), v.to_lowercase().parse().unwrap(), value.to_owned()));
        replace(&file, text, &found).unwrap();
        let now = std::fs::read_to_string(&file).unwrap();
        assert_eq!(
            now,
            "# settings\nexport TOKEN=secret://token\nURL=http://x\nKEY=secret://key\n\nEMPTY=\nTOKEN_2=secret://token_2\n"
        );
    }

    #[test]
    fn lengths_of_time() {
        assert_eq!(length("1h30m").unwrap(), SignedDuration::from_mins(90));
        for bad in ["", "0s", "-1h", "31d", "soon"] {
            assert!(length(bad).is_err(), "{bad}");
        }
    }
}
