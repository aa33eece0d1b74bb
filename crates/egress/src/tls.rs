//! Opening TLS: an authority of one run, whose key never leaves memory, and the verification of the true hosts.

use model::Host;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// How long the authority is valid after the run began.
const VALID: Duration = Duration::from_secs(30 * 24 * 3600);

/// How far clocks may differ.
const SKEW: Duration = Duration::from_secs(24 * 3600);

/// Most certificates kept at once.
const MAX_LEAVES: usize = 1024;

/// Why TLS cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The time is before 1970.
    #[error("the machine's time is not usable; set the clock")]
    Clock,
    /// A key or certificate could not be made.
    #[error("a certificate for this run cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// TLS could not be set up.
    #[error("tls cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
    /// No certificate that could be trusted.
    #[error("there is no trusted root certificate; install the system's CA certificates")]
    NoRoots,
    /// The list of certificates is not well formed.
    #[error("the trusted root certificates cannot be read: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
}

/// What is needed to open TLS for one run.
pub struct Interception {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
    from: Duration,
    leaves: Mutex<HashMap<Host, Arc<ServerConfig>>>,
    client: Arc<ClientConfig>,
}

impl fmt::Debug for Interception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interception")
    }
}

impl Interception {
    /// Makes an authority for a run that begins at `now`. True hosts are verified against `roots`, PEM certificates such
    /// as a system's bundle; those that cannot be read one by one are passed over, as all programs do.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn new(now: SystemTime, roots: &[u8]) -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(roots).collect::<Result<_, _>>()?;
        let (added, _) = store.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(TlsError::NoRoots);
        }
        let from = now.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| TlsError::Clock)?;
        let mut params = CertificateParams::new(Vec::new())?;
        validity(&mut params, from);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.distinguished_name.push(DnType::CommonName, "Ambit, authority of one run");
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let mut client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(store)
            .with_no_client_auth();
        client.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
            key: KeyPair::generate()?,
            from,
            leaves: Mutex::default(),
            client: Arc::new(client),
        })
    }

    /// The authority's certificate in PEM, to be added to what the command trusts.
    #[must_use]
    pub fn authority_pem(&self) -> &str {
        &self.pem
    }

    /// The side towards the command, which shows a certificate for `host`.
    pub(crate) fn server(&self, host: &Host) -> Result<Arc<ServerConfig>, TlsError> {
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = leaves.get(host) {
            return Ok(Arc::clone(known));
        }
        let mut params = CertificateParams::new(vec![host.to_string()])?;
        validity(&mut params, self.from);
        params.distinguished_name.push(DnType::CommonName, "Ambit");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = params.signed_by(&self.key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone(), self.certificate.clone()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let config = Arc::new(config);
        if leaves.len() >= MAX_LEAVES {
            leaves.clear();
        }
        leaves.insert(host.clone(), Arc::clone(&config));
        Ok(config)
    }

    /// The side towards the true host, which must prove that it is `host`.
    pub(crate) fn client(&self, host: &Host) -> Result<ClientConnection, TlsError> {
        let name = match host {
            Host::Address(ip) => ServerName::from(*ip),
            Host::Name(name) => {
                ServerName::try_from(name.clone()).map_err(|_| rustls::Error::UnsupportedNameType)?
            }
        };
        Ok(ClientConnection::new(Arc::clone(&self.client), name)?)
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn validity(params: &mut CertificateParams, from: Duration) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + from.saturating_sub(SKEW);
    params.not_after = epoch + from + VALID;
}
