//! Secrets lent to a contained command: their leases, what stands in for them, and where their values may go.

use super::record::About;
use crate::commands::approvals::no_agent_above;
use crate::commands::secrets::lend::Here;
use crate::environment;
use crate::output::complain;
use crate::output::style::{self, paint};
use anyhow::{Context as _, Result, bail};
use contain::{Profile, Variable};
use egress::{
    Gate, HostRule, Interception, Lent, Network, NetworkGrant, PathPattern, Place, RequestRule, Rules,
};
use guard::{Loan, Roots, Settings, Ticket};
use jiff::Timestamp;
use ledger::{Durability, Kind, Ledger, Options};
use model::{
    AbsPath, Delivery, Host, LendTerms, Lending, Placement, replace_secret_references, secret_references,
};
use secrecy::ExposeSecret as _;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::SystemTime;
use vault::{Backend, Grants, Lease, Leases, Name, Value, Wish};

/// Where systems keep the certificates that they trust.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Variables by which clients are told which certificates to trust.
const TRUST: [&str; 11] = [
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "AWS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    "DENO_CERT",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
    "NIX_SSL_CERT_FILE",
];

/// One secret lent.
struct One {
    name: Name,
    terms: LendTerms,
    lease: String,
    value: Value,
    /// What the command has in the value's place; not used where the value itself is in the environment.
    stand_in: String,
    backend: Box<dyn Backend>,
    made: Option<String>,
}

/// All that is lent to one command. Leases end, and credentials made for it are given back, when this is dropped.
pub(super) struct Loans {
    all: Vec<One>,
    leases: Leases,
    trust: Option<Trust>,
}

/// What the proxy needs to put values in, and the command to trust the proxy.
struct Trust {
    interception: Arc<Interception>,
    /// Holds the certificates that the command trusts.
    dir: tempfile::TempDir,
}

/// Lends what a command is to have: what the ticket of an agent's call says, or what a person asks for by `names`, by
/// references in the command's words, in the environment and in the `.env` file where the command starts.
///
/// # Errors
/// When something cannot be lent, or an agent asks without a ticket; the command must not run then.
pub(super) fn prepare(
    roots: &Roots,
    ticket: Option<&Ticket>,
    names: &[String],
    command: &[OsString],
    about: &About,
    profile: &mut Profile,
) -> Result<Option<Loans>> {
    let (mut wanted, mut variables) = (Vec::new(), Vec::new());
    match ticket {
        Some(ticket) => wanted.clone_from(&ticket.lent),
        None => {
            let words = command.iter().filter_map(|w| w.to_str()).flat_map(secret_references);
            let mut named: Vec<String> = names.to_vec();
            named.extend(words.map(str::to_owned));
            if !named.is_empty() {
                no_agent_above()?;
            }
            wanted.extend(named.iter().map(|name| asked(name, command)));
            if no_agent_above().is_ok() {
                variables = referring(environment::all(), &profile.cwd);
            }
        }
    }
    if wanted.is_empty() && variables.is_empty() {
        return Ok(None);
    }
    let here = Here::of(roots.clone(), Settings::load(roots, &profile.project)?);
    // What no terms let this program have is for other programs of the project.
    variables.retain(|(name, value)| {
        let fit = secret_references(value).iter().all(|n| here.fits(n, &program(command)));
        if !fit {
            complain(format!("{} `{name}` is not lent to this program", paint(style::WARNING, "note:")));
        }
        fit
    });
    for name in variables.iter().flat_map(|(_, value)| secret_references(value)) {
        wanted.push(asked(name, command));
    }
    if wanted.is_empty() {
        return Ok(None);
    }
    let loans = Loans::begin(&here, &wanted, about)?;
    for (name, value) in &variables {
        set(&mut profile.variables, name, loans.in_value(value)?.into());
    }
    loans.variables(&mut profile.variables, ticket.is_none())?;
    if let Some(dir) = loans.shown() {
        profile.read.push(super::real(dir)?);
    }
    Ok(Some(loans))
}

/// A secret that a person's own command asks for.
fn asked(name: &str, command: &[OsString]) -> Loan {
    // The person who runs the command agrees by running it.
    Loan { secret: name.to_owned(), program: program(command), host: String::new(), terms: Lending::Asks }
}

/// The program of a command, by name.
fn program(command: &[OsString]) -> String {
    let first = command.first().map(|w| w.to_string_lossy().into_owned()).unwrap_or_default();
    first.rsplit('/').next().unwrap_or_default().to_owned()
}

impl Loans {
    /// Lends what `wanted` names: looks up terms and values, issues the leases and records them.
    ///
    /// # Errors
    /// When one of them cannot be lent; then none is, and the command must not run.
    pub(super) fn begin(here: &Here, wanted: &[Loan], about: &About) -> Result<Self> {
        let now = Timestamp::now();
        let dir = here.dir();
        let mut loans = Self { all: Vec::new(), leases: Leases::new(dir), trust: None };
        let grants = Grants::new(dir).list(now)?;
        for loan in wanted {
            let name: Name = loan.secret.parse()?;
            let (terms, whose) = terms_of(here, &grants, &name, loan)?;
            if loans.all.iter().any(|one| one.name == name) {
                continue;
            }
            let (backend, key) = here.backend(&name)?;
            let given = backend.read(&key).with_context(|| format!("secret://{name} cannot be lent"))?;
            let stand_in = vault::sentinel(&given.value)?;
            let mut lease = Lease::new(name.clone(), &terms, given.seconds, now)?;
            lease.session = about.session.clone().unwrap_or_default();
            lease.call = about.call.clone().unwrap_or_default();
            lease.program.clone_from(&loan.program);
            lease.terms = whose;
            lease.backend = backend.word();
            lease.made.clone_from(&given.made);
            loans.leases.issue(&lease)?;
            let one = One {
                name,
                terms,
                lease: lease.id.clone(),
                value: given.value,
                stand_in,
                backend,
                made: given.made,
            };
            record(here, &one, &lease, about)?;
            loans.all.push(one);
        }
        if loans.all.iter().any(|one| one.terms.how == Delivery::Sentinel) {
            loans.trust = Some(Trust::new(here)?);
        }
        Ok(loans)
    }

    /// What the command's environment has of them, in addition to what it has. `all`: also the stand-ins whose variable
    /// no terms name.
    fn variables(&self, variables: &mut Vec<Variable>, all: bool) -> Result<()> {
        let own = |one: &&One| all || one.terms.how == Delivery::Environment || one.terms.variable.is_some();
        for one in self.all.iter().filter(own) {
            let name = variable(one);
            set(
                variables,
                &name,
                match one.terms.how {
                    Delivery::Sentinel => one.stand_in.clone().into(),
                    Delivery::Environment => text(one)?.into(),
                },
            );
        }
        if let Some(trust) = &self.trust {
            let file = trust.dir.path().join("certificates.pem");
            for name in TRUST {
                set(variables, name, file.clone().into_os_string());
            }
        }
        Ok(())
    }

    /// The directory that the command must be able to read.
    fn shown(&self) -> Option<&std::path::Path> {
        self.trust.as_ref().map(|t| t.dir.path())
    }

    /// A command's text with stand-ins in place of references. Where the value itself is in the environment, the
    /// reference becomes the variable's; that is permitted only as the value of an assignment, since a program's words
    /// can be seen by others.
    ///
    /// # Errors
    /// When a reference to such a secret stands elsewhere.
    pub(super) fn in_text(&self, text: &str) -> Result<String> {
        for one in self.all.iter().filter(|one| one.terms.how == Delivery::Environment) {
            if !only_assigned(text, one.name.as_str()) {
                bail!(
                    "secret://{} is lent by the environment, so it can only stand as the value of an assignment before a program: `NAME=secret://{} PROGRAM`",
                    one.name,
                    one.name
                );
            }
        }
        Ok(replace_secret_references(text, |name| {
            let one = self.all.iter().find(|one| one.name.as_str() == name)?;
            Some(match one.terms.how {
                Delivery::Sentinel => one.stand_in.clone(),
                Delivery::Environment => format!("${{{}}}", variable(one)),
            })
        }))
    }

    /// A command's words with stand-ins in place of references.
    ///
    /// # Errors
    /// When a reference to a secret that is lent by the environment stands there.
    pub(super) fn in_words(&self, words: &[OsString]) -> Result<Vec<OsString>> {
        words
            .iter()
            .map(|word| {
                let Some(text) = word.to_str() else { return Ok(word.clone()) };
                let bare = |name: &&str| self.bare().any(|(b, _)| b == *name);
                if let Some(name) = secret_references(text).into_iter().find(bare) {
                    bail!("secret://{name} is lent by the environment; leave it out of the command's words");
                }
                Ok(self.in_value(text)?.into())
            })
            .collect()
    }

    /// A variable's value with what is lent in place of references.
    ///
    /// # Errors
    /// When a value is not text.
    fn in_value(&self, value: &str) -> Result<String> {
        let mut broken = None;
        let out = replace_secret_references(value, |name| {
            let one = self.all.iter().find(|one| one.name.as_str() == name)?;
            match one.terms.how {
                Delivery::Sentinel => Some(one.stand_in.clone()),
                Delivery::Environment => text(one).map_err(|e| broken = Some(e)).ok(),
            }
        });
        broken.map_or(Ok(out), Err)
    }

    /// The values that are in the command's environment as they are: what it prints is searched for them.
    pub(super) fn bare(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.all
            .iter()
            .filter(|one| one.terms.how == Delivery::Environment)
            .map(|one| (one.name.as_str(), one.value.expose_secret()))
    }

    /// What the proxy is told. Made before the command starts, so that what is wrong with terms is said then.
    ///
    /// # Errors
    /// When terms or a value cannot be used.
    pub(super) fn network(&self) -> Result<Additions> {
        let mut out =
            Additions { interception: None, lent: Vec::new(), hosts: Vec::new(), networks: Vec::new() };
        out.interception = self.trust.as_ref().map(|t| Arc::clone(&t.interception));
        for one in &self.all {
            let id = format!("lent/{}", one.name);
            let requests = match (one.terms.methods.is_empty(), one.terms.paths.is_empty()) {
                (true, true) => Vec::new(),
                _ => vec![RequestRule::read(&one.terms.methods, &one.terms.paths)?],
            };
            let mut lent = Lent::new(
                one.name.as_str(),
                one.stand_in.as_str(),
                egress::Secret::new(one.value.expose_secret()),
            )?;
            for text in &one.terms.hosts {
                let mut rule = HostRule::read(id.as_str(), text)?;
                lent.hosts.push(rule.host.clone());
                if rule.ports.is_empty() {
                    rule.ports.push(443);
                }
                let new = rule.ports.iter().filter(|p| !lent.ports.contains(p)).copied().collect::<Vec<_>>();
                lent.ports.extend(new);
                out.networks.extend(own_machine(&id, &rule));
                rule.requests.clone_from(&requests);
                rule.open_tls = one.terms.how == Delivery::Sentinel;
                out.hosts.push(rule);
            }
            if one.terms.how == Delivery::Environment {
                continue;
            }
            lent.methods.clone_from(&one.terms.methods);
            lent.paths = one.terms.paths.iter().map(|p| PathPattern::read(p)).collect::<Result<_, _>>()?;
            lent.places = places(&one.terms.places);
            let (leases, lease) = (self.leases.clone(), one.lease.clone());
            lent.gate = Some(Gate::new(move || {
                leases.use_once(&lease, Timestamp::now()).map(drop).map_err(|e| e.to_string())
            }));
            out.lent.push(lent);
        }
        Ok(out)
    }
}

impl Drop for Loans {
    fn drop(&mut self) {
        for one in &self.all {
            if let Some(made) = &one.made {
                // What cannot be given back ends by itself, by its backend's own term.
                let _ = one.backend.give_back(made);
            }
            let _ = self.leases.end(&one.lease);
        }
    }
}

/// What is added to a command's network for what it is lent.
pub(super) struct Additions {
    interception: Option<Arc<Interception>>,
    lent: Vec<Lent>,
    hosts: Vec<HostRule>,
    networks: Vec<NetworkGrant>,
}

impl Additions {
    pub(super) fn add_to(self, rules: &mut Rules) {
        rules.hosts.extend(self.hosts);
        rules.networks.extend(self.networks);
        rules.lent.extend(self.lent);
        rules.interception = self.interception.or(rules.interception.take());
    }
}

/// The terms of a loan, and whose they are.
fn terms_of(here: &Here, grants: &[vault::Grant], name: &Name, loan: &Loan) -> Result<(LendTerms, String)> {
    let wish = Wish { secret: name, program: &loan.program };
    match vault::allowance(here.terms(), grants, &wish) {
        Ok((terms, _)) if terms.ask && loan.terms == Lending::Fits => bail!(
            "the terms of secret://{name} have changed and want a person's consent now; run the command again, and Ambit judges it"
        ),
        Ok(found) => Ok(found),
        // Judged without terms and let through: a person agreed to this program and the host that the command names.
        Err(_) if loan.terms == Lending::None && !loan.host.is_empty() => {
            let terms = LendTerms {
                programs: vec![loan.program.clone()],
                hosts: vec![loan.host.clone()],
                ..LendTerms::default()
            };
            Ok((terms, "consent".to_owned()))
        }
        Err(why) => Err(why.into()),
    }
}

fn record(here: &Here, one: &One, lease: &Lease, about: &About) -> Result<()> {
    let how = match one.terms.how {
        Delivery::Sentinel => "sentinel",
        Delivery::Environment => "environment",
    };
    let mut record = about
        .begin(Kind::SECRET_LENT)
        .with("secret", one.name.as_str())
        .with("how", how)
        .with("lease", lease.id.as_str())
        .with("terms", lease.terms.as_str())
        .with("program", lease.program.as_str())
        .with("from", lease.backend.as_str())
        .with("until", lease.expires.to_string())
        .seal("hosts", one.terms.hosts.clone());
    if let Some(uses) = lease.uses_left {
        record = record.with("uses", uses);
    }
    let ledger = Ledger::open(here.state(), Options::default())?;
    let _recorded = ledger.append(&record, Durability::Durable, Timestamp::now())?;
    Ok(())
}

fn variable(one: &One) -> String {
    one.terms.variable.clone().unwrap_or_else(|| one.name.variable())
}

fn text(one: &One) -> Result<String> {
    let text = std::str::from_utf8(one.value.expose_secret()).ok().filter(|t| !t.contains('\0'));
    let text =
        text.with_context(|| format!("secret://{} is not text, so no variable can hold it", one.name))?;
    Ok(text.to_owned())
}

fn set(variables: &mut Vec<Variable>, name: &str, value: OsString) {
    variables.retain(|(n, _)| n != name);
    variables.push((name.into(), value));
}

fn places(named: &[Placement]) -> Vec<Place> {
    if named.is_empty() {
        return vec![Place::AnyHeader, Place::Basic];
    }
    named
        .iter()
        .map(|place| match place {
            Placement::Header => Place::AnyHeader,
            Placement::Basic => Place::Basic,
            Placement::Query => Place::Query,
            Placement::Body => Place::Body,
        })
        .collect()
}

/// Terms that name this machine itself share those ports of it: nobody writes them by accident.
fn own_machine(id: &str, rule: &HostRule) -> Vec<NetworkGrant> {
    let egress::HostPattern::Exact(host) = &rule.host else { return Vec::new() };
    let own: &[&str] = match host {
        Host::Name(name) if name == "localhost" => &["127.0.0.1", "::1"],
        Host::Address(ip) if ip.to_string() == "127.0.0.1" => &["127.0.0.1"],
        Host::Address(ip) if ip.to_string() == "::1" => &["::1"],
        _ => &[],
    };
    own.iter()
        .filter_map(|text| Network::read(text))
        .map(|network| NetworkGrant { id: id.to_owned(), network, ports: rule.ports.clone() })
        .collect()
}

/// Whether each reference to `name` is the value of an assignment, in no quotes or double ones.
fn only_assigned(text: &str, name: &str) -> bool {
    let reference = format!("secret://{name}");
    let mut before = String::new();
    let mut pieces = text.split(reference.as_str()).peekable();
    while let Some(piece) = pieces.next() {
        before.push_str(piece);
        if pieces.peek().is_none() {
            break;
        }
        let head = before.strip_suffix('"').unwrap_or(&before);
        let Some(head) = head.strip_suffix('=') else { return false };
        let rest = head.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let named = head.strip_prefix(rest).is_some_and(|n| n.starts_with(|c: char| !c.is_ascii_digit()));
        if !named || !(rest.is_empty() || rest.ends_with([' ', '\t', '\n', ';', '&', '|', '('])) {
            return false;
        }
        before.push_str(&reference);
    }
    true
}

impl Trust {
    /// An authority of this run. True hosts are verified by what the system and `ambit.toml` trust; the command's own
    /// variables have no say in it.
    fn new(here: &Here) -> Result<Self> {
        let mut roots = BUNDLES.iter().find_map(|path| std::fs::read(path).ok()).unwrap_or_default();
        if let Some(file) = &here.terms().ca_file {
            let more = fs_err::read(file).context("`secrets.ca_file` of ambit.toml cannot be read")?;
            roots.push(b'\n');
            roots.extend(more);
        }
        let interception = Interception::new(SystemTime::now(), &roots)?;
        let dir = tempfile::Builder::new().prefix("ambit-trust-").tempdir()?;
        roots.push(b'\n');
        roots.extend(interception.authority_pem().as_bytes());
        fs_err::write(dir.path().join("certificates.pem"), &roots)?;
        Ok(Self { interception: Arc::new(interception), dir })
    }
}

/// References in a person's own environment and in the `.env` file beside the command, as variables.
fn referring(environment: impl IntoIterator<Item = Variable>, cwd: &AbsPath) -> Vec<(String, String)> {
    let refers = |(_, value): &(String, String)| !model::secret_references(value).is_empty();
    let own =
        environment.into_iter().filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?)));
    let mut out: Vec<(String, String)> = own.filter(refers).collect();
    let file =
        dotenvy::from_path_iter(cwd.join(".env").as_std()).into_iter().flatten().filter_map(Result::ok);
    for (name, value) in file.filter(refers) {
        if !out.iter().any(|(n, _)| *n == name) {
            out.push((name, value));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_assigned_or_it_is_not() {
        for good in [
            "A=secret://x p",
            "export A=secret://x; p",
            "p; A=\"secret://x\" q",
            "A=secret://x B=secret://x p",
        ] {
            assert!(only_assigned(good, "x"), "{good}");
        }
        for bad in [
            "p secret://x",
            "p -H \"k: secret://x\"",
            "p --key=secret://x",
            "A='secret://x' p",
            "A=secret://x p secret://x",
        ] {
            assert!(!only_assigned(bad, "x"), "{bad}");
        }
    }

    #[test]
    fn only_named_loopback_is_shared() {
        let rule = |text: &str| HostRule::read("t", text).unwrap();
        assert_eq!(own_machine("t", &rule("localhost:8443")).len(), 2);
        assert_eq!(own_machine("t", &rule("127.0.0.1:8443"))[0].ports, [8443]);
        assert!(own_machine("t", &rule("*.example.com")).is_empty());
        assert!(own_machine("t", &rule("api.example.com:8443")).is_empty());
    }
}
