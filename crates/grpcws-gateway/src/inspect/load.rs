//! Gets the descriptors that are asked about.

use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Duration;

use grpcws::routes::ExtraRoute;
use grpcws_upstream::{TlsOptions, Upstream, UpstreamOptions};

use super::arguments::SourceArguments;
use super::error::InspectError;
use crate::descriptors::{DescriptorOptions, Loaded, Loader, metadata};

/// How long a person waits without a word.
const SILENCE: Duration = Duration::from_millis(500);

/// Loads the descriptors, with a symbol that they have to have.
pub(super) async fn load(source: &SourceArguments, symbol: Option<&str>) -> Result<Loaded, InspectError> {
    load_with(source, symbol, Vec::new()).await
}

/// Loads the descriptors, with routes besides those of their annotations.
pub(super) async fn load_with(
    source: &SourceArguments,
    symbol: Option<&str>,
    routes: Vec<ExtraRoute>,
) -> Result<Loaded, InspectError> {
    let mut options = DescriptorOptions::default().timeout(source.timeout).source_info(true).routes(routes);
    options.descriptor_sets.clone_from(&source.descriptor_set);
    options.protos.clone_from(&source.proto);
    options.includes.clone_from(&source.include);
    options.symbols.extend(symbol.map(str::to_owned));
    source.limits.apply(&mut options);
    let asks = options.uses_reflection();
    let mut loader = Loader::new(options);
    if let Some(url) = source.upstream.as_deref().filter(|_| asks) {
        let upstream = Upstream::new(url, upstream_options(source)?)?;
        loader = loader.upstream_for(url, upstream, &[], metadata(&source.headers));
    }
    let mut loaded = tokio::select! {
        loaded = loader.load() => loaded?,
        never = tell_that_it_takes_long(source.upstream.as_deref()) => match never {},
    };
    // There is one upstream at most, and nothing else to tell of.
    if let Some(error) = loaded.failed.pop() {
        return Err(error.into());
    }
    for omitted in &loaded.omitted {
        let services = match omitted.services.as_slice() {
            [] => String::new(),
            services => format!(" with {}", services.join(", ")),
        };
        tell(&format!("{} is left out{services}: {}", omitted.file, omitted.reason));
    }
    Ok(loaded)
}

fn upstream_options(source: &SourceArguments) -> Result<UpstreamOptions, InspectError> {
    let mut tls = TlsOptions::default();
    if let Some(path) = &source.upstream_ca {
        tls = tls.ca_pem(read(path)?);
    }
    if let (Some(certificate), Some(key)) = (&source.upstream_cert, &source.upstream_key) {
        tls = tls.identity_pem(read(certificate)?, read(key)?);
    }
    let mut options = UpstreamOptions::builder().tls(tls);
    if let Some(authority) = &source.upstream_authority {
        options = options.authority(authority);
    }
    Ok(options.build().expect("the defaults work with every authority and certificate"))
}

fn read(path: &Path) -> Result<Vec<u8>, InspectError> {
    fs::read(path).map_err(|error| InspectError::Read { path: path.to_owned(), error })
}

/// Tells a person at a terminal what is waited for; then waits.
async fn tell_that_it_takes_long(upstream: Option<&str>) -> std::convert::Infallible {
    tokio::time::sleep(SILENCE).await;
    if std::io::stderr().is_terminal() {
        let source = upstream.unwrap_or("the files");
        tell(&format!("loading the descriptors of {source} …"));
    }
    std::future::pending().await
}

/// A line on stderr. That it cannot be written is no reason to end.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "grpcws: {text}");
}
