//! The browsers: streams of every kind of end, and the demo's page, in each.

use crate::context::{Context, Failure};
use crate::suites::{built, count, sum};

/// As `tests/browser/browser.mjs` calls them.
const BROWSERS: [&str; 3] = ["chromium", "firefox", "webkit"];

/// Runs one browser after another: each starts servers of its own, which have to allow the origin of its page.
pub(crate) fn browsers(context: &Context) -> Result<usize, Failure> {
    let gateway = built(context, "grpcws")?;
    let programs = gateway.parent().ok_or_else(|| Failure::new("the gateway is in no folder"))?;
    sum(BROWSERS.map(|browser| {
        let mut command = context.command("node", &["tests/browser/browser.mjs", browser]);
        count(command.arg(programs), browser)
    }))
}
