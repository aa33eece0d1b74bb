//! The console's pages.

mod approvals;
mod ask;
mod assets;
mod evidence;
mod failure;
mod gate;
mod guard;
mod guards;
mod insight;
mod layout;
mod live;
mod now;
mod policy;
mod record;
mod search;
mod session;
mod signin;
mod story;

pub use gate::Person;

use crate::error::{Result, ServerError};
use crate::index::{Feeder, Index};
use crate::surroundings::Surroundings;
use crate::words::Clock;
use ::approvals::Store;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use gate::Gate;
use guards::Origin;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ledger::{Durability, Kind, Ledger, Options, Reader, Record};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Longest body of a form, in bytes.
const MAX_FORM: usize = 64 << 10;

/// How a console is started. All that it knows of machine and moment is in here.
pub struct Settings {
    /// The state directory, where the ledger is.
    pub state: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// The origin by which browsers reach it, if it is not the one that follows from `listen`.
    pub origin: Option<String>,
    /// The zone in which times are shown.
    pub zone: TimeZone,
    /// The clock.
    pub now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// Why nothing can be decided here, if nothing can: nobody can be vouched for.
    pub read_only: Option<String>,
    /// What the program around knows.
    pub surroundings: Arc<dyn Surroundings>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("state", &self.state)
            .field("listen", &self.listen)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// What the pages share.
pub(crate) struct App {
    pub(crate) state: PathBuf,
    pub(crate) index: Index,
    pub(crate) reader: Reader,
    pub(crate) ledger: Ledger,
    pub(crate) store: Store,
    pub(crate) gate: Gate,
    pub(crate) origin: Origin,
    pub(crate) zone: TimeZone,
    pub(crate) now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    pub(crate) read_only: Option<String>,
    pub(crate) surroundings: Arc<dyn Surroundings>,
    pub(crate) changes: watch::Receiver<live::Change>,
}

impl App {
    pub(crate) fn clock(&self) -> Clock {
        Clock { now: (self.now)(), zone: self.zone.clone() }
    }

    /// Records what a person did here. It is on disk when this returns.
    pub(crate) fn note(&self, kind: &str, who: &Person, fields: &[(&str, &str)]) -> Result<()> {
        let mut record =
            Record::new(Kind::new(kind)?).subject(who.subject.as_str()).seal("person", who.name.as_str());
        for (name, value) in fields {
            record = record.with(*name, *value);
        }
        let _recorded = self.ledger.append(&record, Durability::Durable, (self.now)())?;
        Ok(())
    }
}

/// A console that listens and is not yet served.
pub struct Console {
    app: Arc<App>,
    listener: TcpListener,
    feeder: Feeder,
    sender: watch::Sender<live::Change>,
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console").field("origin", &self.app.origin.whole).finish_non_exhaustive()
    }
}

impl Console {
    /// Opens ledger, index and address.
    ///
    /// # Errors
    /// If one of them cannot be opened, or [`ServerError::Exposed`].
    pub async fn open(settings: Settings) -> Result<Self> {
        if !settings.listen.ip().is_loopback() && settings.origin.is_none() {
            return Err(ServerError::Exposed(settings.listen));
        }
        let listener = TcpListener::bind(settings.listen)
            .await
            .map_err(|source| ServerError::Listen { address: settings.listen, source })?;
        let port = listener.local_addr()?.port();
        let whole = match settings.origin {
            Some(origin) => origin,
            // A name of our own below `localhost`: cookies do not know ports, so under `localhost` itself every
            // other server of this machine that the person opens would be sent ours.
            None => format!("http://ambit-{}.localhost:{port}", label()?),
        };
        let origin = Origin::parse(&whole).ok_or(ServerError::BadOrigin(whole))?;
        let index = Index::open(&settings.state).await?;
        let reader = Reader::open(&settings.state);
        let feeder = Feeder::new(index.clone(), reader.clone()).await?;
        let (sender, changes) = watch::channel(live::Change::default());
        let app = App {
            state: settings.state.clone(),
            index,
            reader,
            ledger: Ledger::open(&settings.state, Options::default())?,
            store: Store::open(&settings.state)?,
            gate: Gate::new((settings.now)()),
            origin,
            zone: settings.zone,
            now: settings.now,
            read_only: settings.read_only,
            surroundings: settings.surroundings,
            changes,
        };
        Ok(Self { app: Arc::new(app), listener, feeder, sender })
    }

    /// Makes links.
    #[must_use]
    pub fn door(&self) -> Door {
        Door { app: Arc::clone(&self.app) }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Answers until `end` comes. The index is kept meanwhile.
    ///
    /// # Errors
    /// If the server or the keeping of the index fails.
    pub async fn serve(self, end: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        let keeper = tokio::spawn(live::keep(Arc::clone(&self.app), self.feeder, self.sender));
        let stop = keeper.abort_handle();
        // Pages that listen for news never end by themselves.
        let server = axum::serve(self.listener, router(Arc::clone(&self.app)));
        let served = tokio::select! {
            served = server => served.map_err(ServerError::from),
            kept = keeper => kept.unwrap_or(Err(ServerError::Ended("keeping the index"))),
            () = end => Ok(()),
        };
        stop.abort();
        served
    }
}

/// Makes sign-in links, also while the console is served.
#[derive(Clone)]
pub struct Door {
    app: Arc<App>,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("origin", &self.app.origin.whole).finish_non_exhaustive()
    }
}

impl Door {
    /// A link that signs `person` in once, within ten minutes.
    ///
    /// # Errors
    /// [`ServerError::Random`].
    pub fn link(&self, person: Person) -> Result<String> {
        let secret = self.app.gate.link(person, (self.app.now)())?;
        Ok(format!("{}/signin/{secret}", self.app.origin.whole))
    }
}

/// Sixteen random hexadecimal digits, for a name that no other server guesses.
fn label() -> Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(ServerError::Random)?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}

fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(now::page))
        .route("/sessions", get(session::list))
        .route("/session/{id}", get(session::page))
        .route("/record/{index}", get(record::page))
        .route("/record/{index}/proof", get(record::proof))
        .route("/record/{index}/proof.json", get(record::proof_file))
        .route("/search", get(search::page))
        .route("/search/export", get(search::export))
        .route("/search/save", post(search::save))
        .route("/search/forget", post(search::forget))
        .route("/approvals", get(approvals::page))
        .route("/approvals/count", get(approvals::count))
        .route("/approvals/{id}", get(approvals::one).post(approvals::decide))
        .route("/guard", get(guard::page))
        .route("/policy", get(policy::page))
        .route("/insight", get(insight::page))
        .route("/evidence", get(evidence::page).post(evidence::verify))
        .route("/evidence/bundle", get(evidence::bundle))
        .route("/events", get(live::events))
        .route("/signout", post(signin::sign_out))
        .route("/signin/{secret}", get(signin::sign_in))
        .route("/assets/{name}", get(assets::asset))
        .fallback(signin::nothing)
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), guards::around))
        .with_state(app)
}
