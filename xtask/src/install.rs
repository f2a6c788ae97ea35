//! What the gate needs on a machine, and how it gets there.
//!
//! Everything is looked for first, so that a second run installs nothing. Versions are pinned: in the lock
//! files, in `requirements.txt`, and here.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::context::{Context, Failure};
use crate::process::{output, run, succeeds};

const CARGO_DENY: &str = "0.20.2";

/// Something that a step needs.
pub(crate) enum Need {
    /// rustfmt and clippy.
    RustComponents,
    /// A C compiler and make, for the allocator.
    BuildTools,
    /// cargo-deny, below the target folder.
    CargoDeny,
    /// The packages of a folder's package-lock.json.
    NodePackages(&'static str),
    /// An environment with the packages of a requirements file, below the target folder.
    PythonPackages(&'static str),
    /// The Go servers and tools of tests/go, below the target folder.
    GoPrograms,
    /// Chromium, Firefox ESR, WebKitGTK's MiniBrowser, and a screen for the last.
    Browsers,
    /// What counts instructions.
    Valgrind,
    /// The proxies that stand before gateways.
    Proxies,
    /// The test service on grpc-java, below the target folder.
    JavaServer,
    /// etcd, and its `.proto` files below the target folder.
    Etcd,
}

impl Need {
    /// Makes sure that it is there.
    pub(crate) fn install(&self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::RustComponents => rust_components(context),
            Self::BuildTools => debian(context, &[("cc", "gcc"), ("make", "make")]),
            Self::CargoDeny => cargo_deny(context),
            Self::NodePackages(folder) => node_packages(context, folder),
            Self::PythonPackages(file) => python_packages(context, file),
            Self::GoPrograms => go_programs(context),
            Self::Browsers => browsers(context),
            Self::Valgrind => debian(context, &[("valgrind", "valgrind")]),
            Self::Proxies => debian(context, &[("nginx", "nginx"), ("haproxy", "haproxy")]),
            Self::JavaServer => crate::java::install(context),
            Self::Etcd => crate::etcd::install(context),
        }
    }
}

fn rust_components(context: &Context) -> Result<(), Failure> {
    let present = |name| succeeds(&mut context.cargo(&[name, "--version"]));
    if present("fmt") && present("clippy") {
        return Ok(());
    }
    run(&mut context.command("rustup", &["component", "add", "rustfmt", "clippy"]))
        .map_err(|failure| failure.remedy("install rustfmt and clippy for this toolchain"))
}

fn cargo_deny(context: &Context) -> Result<(), Failure> {
    let tools = context.tools();
    let installed = output(Command::new(tools.join("bin/cargo-deny")).arg("--version"));
    if installed.is_some_and(|text| text.trim().ends_with(CARGO_DENY)) {
        return Ok(());
    }
    let version = format!("={CARGO_DENY}");
    let build = tools.join("build");
    // A debug build: it takes a third of the time, and the check is quick either way.
    let mut command = context.cargo(&["install", "--locked", "--debug", "--version", &version, "cargo-deny"]);
    command.arg("--root").arg(&tools).arg("--target-dir").arg(&build);
    run(command.env("CARGO_PROFILE_DEV_DEBUG", "0"))?;
    fs::remove_dir_all(&build).map_err(|error| Failure::new(format!("{}: {error}", build.display())))
}

fn node_packages(context: &Context, folder: &str) -> Result<(), Failure> {
    let version = output(Command::new("node").arg("--version")).unwrap_or_default();
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|text| text.parse().ok());
    if major.is_none_or(|major: u32| major < 20) {
        return Err(Failure::new(format!("Node 20 or later is needed, found {:?}", version.trim()))
            .remedy("install Node 20 with npm"));
    }
    let folder = context.root.join(folder);
    unless_unchanged(&folder.join("package-lock.json"), &folder.join("node_modules/.installed"), || {
        run(context.command("npm", &["ci", "--no-audit", "--no-fund"]).current_dir(&folder))
    })
}

fn python_packages(context: &Context, requirements: &str) -> Result<(), Failure> {
    let venv = context.target.join("venv");
    let requirements = context.root.join(requirements);
    unless_unchanged(&requirements, &venv.join(".installed"), || {
        let create = || run(context.command("python3", &["-m", "venv", "--clear"]).arg(&venv));
        if create().is_err() {
            // Debian's own Python comes without the module that fills an environment.
            apt_get(context, &["python3-venv"])?;
            create()?;
        }
        let arguments = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
        run(context.command(context.python(), &arguments).arg(&requirements))
    })
}

/// The versions are those of Debian's security updates: a browser that is old is none that people have.
fn browsers(context: &Context) -> Result<(), Failure> {
    let mini_browser = format!("/usr/lib/{}-linux-gnu/webkit2gtk-4.1/MiniBrowser", std::env::consts::ARCH);
    let programs = [
        ("chromium", "chromium"),
        ("firefox-esr", "firefox-esr"),
        (mini_browser.as_str(), "libwebkit2gtk-4.1-0"),
        ("Xvfb", "xvfb"),
    ];
    debian(context, &programs)
}

/// Go looks for itself whether anything has changed.
fn go_programs(context: &Context) -> Result<(), Failure> {
    let remedy = "install Go 1.21 or later: it fetches the version that tests/go/go.mod asks for";
    if !on_path("go") {
        return Err(Failure::new("Go is needed").remedy(remedy));
    }
    let arguments = ["build", "-mod=readonly", "-buildvcs=false", "-o"];
    let mut command = context.command("go", &arguments);
    command.arg(context.go_programs()).args(["./server", "./interop", "tool"]);
    run(command.current_dir(context.go_module())).map_err(|failure| failure.remedy(remedy))
}

/// Runs `install` unless `stamp` says that it ran for this content of `source`.
pub(crate) fn unless_unchanged(
    source: &Path,
    stamp: &Path,
    install: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| Failure::new(format!("{path}: {error}"))
    };
    let wanted = fs::read(source).map_err(failed(source))?;
    if fs::read(stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    install()?;
    fs::write(stamp, wanted).map_err(failed(stamp))
}

/// Installs those packages of Debian whose program is not there.
pub(crate) fn debian(context: &Context, programs: &[(&str, &str)]) -> Result<(), Failure> {
    let missing: Vec<&str> =
        programs.iter().filter(|(program, _)| !on_path(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() { Ok(()) } else { apt_get(context, &missing) }
}

fn apt_get(context: &Context, packages: &[&str]) -> Result<(), Failure> {
    let remedy = format!("as root: apt-get install {}", packages.join(" "));
    if !on_path("apt-get") || output(Command::new("id").arg("-u")).is_none_or(|user| user.trim() != "0") {
        let reason = format!("missing, and not root on Debian: {}", packages.join(" "));
        return Err(Failure::new(reason).remedy(remedy));
    }
    let install = ["install", "--yes", "--no-install-recommends"];
    run(&mut context.command("apt-get", &["update", "--quiet"]))
        .and_then(|()| {
            let mut command = context.command("apt-get", &install);
            run(command.args(packages).env("DEBIAN_FRONTEND", "noninteractive"))
        })
        .map_err(|failure| failure.remedy(remedy))
}

/// Whether a program is there, by its name or by its path.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
