//! What a contained command may reach on the network: host rules, proxies and a name server.
//!
//! The command has a network of its own in which nothing is but the sockets of [`Listeners`]. [`serve`] answers them from
//! outside: what is asked for is parsed into one strict type of host, judged by [`Rules`], looked up, its address vetted
//! and dialled as it is, and what then flows must name the same host (TLS's greeting, `Host`). Default is denial; a name
//! that is denied is never looked up. [`Observer`] is told of everything at event time.
//!
//! TLS is opened only for hosts with rules on requests or with lent credentials ([`Lent`]): then the command sees the
//! certificate of an authority that lives for one run ([`Interception`]).
//!
//! Nothing here reads the environment, the home or the clock; time-outs are measured by a monotonic clock.

mod address;
mod bundles;
mod direct;
mod dns;
mod event;
mod forward;
mod hello;
mod http;
mod lend;
mod name;
mod paths;
mod proxy;
mod pump;
pub mod reading;
mod refusal;
mod registries;
mod rules;
mod serve;
mod session;
mod socks;
mod tls;
mod tunnel;
mod upstream;

pub use address::{AddressKind, Network, address_kind, embedded_v4};
pub use bundles::{Bundles, HostEntry, RequestEntry};
pub use event::{Event, Observer, Outcome, Reason, Via, What};
pub use hello::Hello;
pub use lend::{Gate, Lent, MIN_SENTINEL, MIN_VALUE, Place, Scrubber, Secret};
pub use name::{NameError, Target, read_host, read_written_host};
pub use paths::{PathPattern, is_plain};
pub use registries::Registry;
pub use rules::{
    DEFAULT_DENY, Denial, Grant, HostPattern, HostRule, Limits, NetworkGrant, RequestRule, RuleError, Rules,
    Traffic, WEB_PORTS,
};
pub use serve::{Listeners, Resolver, ServeError, Server, SystemResolver, serve};
pub use tls::{Interception, TlsError};
