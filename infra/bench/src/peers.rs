//! Compares `presign` and `key-verify` with the same functions written for Node.js and in Python, in one run with the same
//! events and the same stub of AWS.
//!
//! Their dependencies are installed into target/peers at first use. If that is not possible, these rows are left out.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use consigne_testkit::payload;
use tokio::process::Command;

use crate::process::{Running, Subject};
use crate::scene::Scene;
use crate::table::{Row, Table, quantile};
use crate::{Problem, answers, say, starts, warm};

/// The functions that are written in all three languages.
pub(crate) const FUNCTIONS: [&str; 2] = ["presign", "key-verify"];
/// What the hello-world beside them is called.
pub(crate) const HELLO: &str = "hello-world";
/// Begins the names of rows with the time of a start, in milliseconds.
pub(crate) const START: &str = "exec to first answer";
/// Begins the names of rows with resident memory, in megabytes.
pub(crate) const MEMORY: &str = "memory after 1 request";
/// Folder of the sources, below the checkout.
const SOURCES: &str = "infra/bench/peers";
/// Folder of the installations, below the checkout.
const INSTALLED: &str = "target/peers";

/// A function in some language.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// The program to start.
    pub(crate) subject: Subject,
    /// What would be deployed: a file or a folder.
    package: PathBuf,
}

/// Returns the peers that can be installed here, and prints which cannot.
pub(crate) async fn had(scene: &Scene) -> Result<Vec<Peer>, Problem> {
    let mut peers = Vec::new();
    for (language, installed) in [("Node.js", node(scene).await), ("Python", python(scene).await)] {
        match installed {
            Ok(installed) => peers.extend(installed),
            Err(problem) => say(&format!("Peers in {language} are left out: {problem}")),
        }
    }
    for peer in &peers {
        prove(scene, &peer.subject).await?;
    }
    Ok(peers)
}

/// Measures `starts` starts and `count` requests of each peer and of our own functions.
pub(crate) async fn measure(
    scene: &Scene,
    peers: &[Peer],
    starts: u32,
    count: u32,
    table: &mut Table,
) -> Result<(), Problem> {
    for name in FUNCTIONS {
        let ours = ours(scene, name)?;
        prove(scene, &ours.subject).await?;
        let mut all = vec![hello(scene, &ours), ours];
        all.extend(peers.iter().filter(|peer| peer.subject.name.starts_with(name)).cloned());
        say(&format!("Starting and asking {name} in {} languages...", all.len() - 1));
        let mut times: Vec<Vec<f64>> = vec![Vec::new(); all.len()];
        for _ in 0..starts {
            for (peer, times) in all.iter().zip(&mut times) {
                times.push(starts::start(&peer.subject).await?);
            }
        }
        let subjects: Vec<Subject> = all.iter().map(|peer| peer.subject.clone()).collect();
        let mut seen = warm::ask(&subjects, count).await?;

        let group = group(name);
        let mut rows = vec![Vec::new(); 6];
        for ((peer, times), seen) in all.iter().zip(&mut times).zip(&mut seen) {
            let name = peer.subject.name.split_once(", ").map_or("", |(_, language)| language);
            let row = |what: &str, value, unit| Row::new(&group, &format!("{what}, {name}"), value, unit);
            rows[0].push(row(START, quantile(times, 0.5), "ms"));
            rows[1].push(row("warm request, median", quantile(&mut seen.times, 0.5) / 1e3, "ms"));
            rows[2].push(row("requests a second of a core", 1e6 / seen.processor, "1/s"));
            rows[3].push(row(MEMORY, seen.first, "MB"));
            rows[4].push(row("memory after the last", seen.last, "MB").with_note(format!("{count} more")));
            rows[5].push(row("package, unpacked", megabytes(&peer.package)?, "MB"));
        }
        for row in rows.into_iter().flatten() {
            table.push(row.of_this_machine());
        }
    }
    Ok(())
}

/// Returns the group of a function's rows.
pub(crate) fn group(name: &str) -> String {
    format!("The same {name} in several languages")
}

/// Returns the hello-world with the settings and the event of our own function.
fn hello(scene: &Scene, ours: &Peer) -> Peer {
    let subject = scene.hello_in_place_of(&ours.subject);
    let package = subject.command.first().map(PathBuf::from).unwrap_or_default();
    let name = ours.subject.name.replace("Rust", HELLO);
    Peer { subject: Subject { name, ..subject }, package }
}

/// Returns our own function as a peer.
fn ours(scene: &Scene, name: &str) -> Result<Peer, Problem> {
    let subject = scene.function(name)?;
    let package = subject.command.first().map(PathBuf::from).unwrap_or_default();
    Ok(Peer { subject: Subject { name: format!("{name}, Rust"), ..subject }, package })
}

/// Builds a peer from our own function, with another command.
fn peer(scene: &Scene, name: &str, language: &str, command: Vec<String>, package: PathBuf) -> Result<Peer, Problem> {
    let ours = scene.function(name)?;
    let mut settings = ours.settings;
    let loop_of_lambda = at(INSTALLED).join("python/runtime");
    let paths = format!("{}:{}", package.display(), loop_of_lambda.display());
    settings.extend(
        [
            // Lambda sets this too, and boto3 reads no other name.
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("PYTHONPATH", &paths),
            // Silences the SDK's advice, at every start, to use a newer Node.js.
            ("AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED", "true"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    Ok(Peer { subject: Subject { name: format!("{name}, {language}"), command, settings, event: ours.event }, package })
}

/// Checks that a function does all of its work: its answers are right, and a warm request makes exactly one call to AWS.
async fn prove(scene: &Scene, subject: &Subject) -> Result<(), Problem> {
    let (mut running, _) = Running::start(subject).await?;
    scene.aws.calls();
    running.api.offer(&subject.event).await;
    let answered = running.answer().await?;
    answers::check(&subject.name, &answered.body).map_err(|problem| subject.blame(problem))?;
    let calls: Vec<(String, u32)> = scene.aws.calls().into_iter().collect();
    running.stop().await?;
    let must = if subject.name.starts_with("presign") { "GetItem" } else { "TransactWriteItems" };
    if calls == [(must.to_owned(), 1)] { Ok(()) } else { Err(subject.blame(format!("a warm request made {calls:?}"))) }
}

/// Installs and bundles the functions for Node.js in the usual way: one minified file each.
async fn node(scene: &Scene) -> Result<Vec<Peer>, Problem> {
    let (sources, home) = (at(SOURCES).join("node"), at(INSTALLED).join("node"));
    let program = which("node").await?;
    let lock = "package-lock.json";
    let fresh = same(&sources.join(lock), &home.join("installed"));
    for file in ["package.json", lock, "runtime.mjs", "presign.mjs", "key-verify.mjs"] {
        copy(&sources.join(file), &home.join(file))?;
    }
    if !fresh {
        say("Installing the peers for Node.js into target/peers (once, about half a minute)...");
        run("npm", &["ci", "--no-audit", "--no-fund", "--loglevel=error"], &home).await?;
        copy(&sources.join(lock), &home.join("installed"))?;
    }
    run("npm", &["run", "--silent", "bundle"], &home).await?;
    let made = FUNCTIONS.iter().map(|name| {
        let package = home.join("dist").join(format!("{name}.mjs"));
        let words = [Path::new(&program).to_owned(), home.join("runtime.mjs"), package.clone()];
        peer(scene, name, "Node.js", words.map(|word| word.display().to_string()).to_vec(), package)
    });
    made.collect()
}

/// Installs the functions in Python, each in a folder with its dependencies, and Lambda's own runtime client beside
/// them.
async fn python(scene: &Scene) -> Result<Vec<Peer>, Problem> {
    let (sources, home) = (at(SOURCES).join("python"), at(INSTALLED).join("python"));
    let program = which("python3").await?;
    let folders = FUNCTIONS.map(|name| name.replace('-', "_"));
    let mut packages =
        vec![(sources.join("requirements-runtime.txt"), home.join("runtime"), home.join("runtime-installed"))];
    for folder in &folders {
        let installed = home.join(format!("{folder}-installed"));
        packages.push((sources.join(folder).join("requirements.txt"), home.join(folder), installed));
    }
    for (requirements, target, installed) in packages {
        if same(&requirements, &installed) {
            continue;
        }
        say("Installing a peer in Python into target/peers (once, about half a minute each)...");
        drop(std::fs::remove_dir_all(&target));
        std::fs::create_dir_all(&target).map_err(|error| format!("{}: {error}", target.display()))?;
        let (requirements, target) = (requirements.display().to_string(), target.display().to_string());
        let quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"];
        let words = [&["-m", "pip", "install"], &quiet[..], &["--target", &target, "--requirement", &requirements]];
        run(&at(".venv/bin/python").display().to_string(), &words.concat(), &home).await?;
        copy(Path::new(&requirements), &installed)?;
    }
    let made = FUNCTIONS.iter().zip(folders).map(|(name, folder)| {
        let package = home.join(&folder);
        copy(&sources.join(folder).join("handler.py"), &package.join("handler.py"))?;
        let words = [&program, "-m", "awslambdaric", "handler.handler"].map(ToOwned::to_owned).to_vec();
        peer(scene, name, "Python", words, package)
    });
    made.collect()
}

fn at(path: &str) -> PathBuf {
    payload::root().join(path)
}

/// Returns the path of a program, or an error if it is not installed.
async fn which(name: &str) -> Result<String, Problem> {
    let found = Command::new("/bin/sh").args(["-c", &format!("command -v {name}")]).output().await;
    let found = found.ok().map(|found| String::from_utf8_lossy(&found.stdout).trim().to_owned());
    found.filter(|path| !path.is_empty()).ok_or_else(|| format!("{name} is not installed"))
}

async fn run(program: &str, words: &[&str], folder: &Path) -> Result<(), Problem> {
    let output = Command::new(program).args(words).current_dir(folder).stdin(Stdio::null()).output().await;
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    Err(format!("{program} {} failed: {}", words.first().unwrap_or(&""), told.lines().last().unwrap_or_default()))
}

fn same(one: &Path, other: &Path) -> bool {
    std::fs::read(one).ok().is_some_and(|text| std::fs::read(other).is_ok_and(|other| text == other))
}

fn copy(from: &Path, to: &Path) -> Result<(), Problem> {
    let folder = to.parent().unwrap_or(to);
    let copied = std::fs::create_dir_all(folder).and_then(|()| std::fs::copy(from, to));
    copied.map(drop).map_err(|error| format!("{}: {error}", from.display()))
}

/// Returns the size of a file or a folder, in megabytes.
fn megabytes(path: &Path) -> Result<f64, Problem> {
    fn bytes(path: &Path) -> std::io::Result<u64> {
        if path.is_dir() {
            return std::fs::read_dir(path)?.try_fold(0, |sum, entry| Ok(sum + bytes(&entry?.path())?));
        }
        Ok(path.metadata()?.len())
    }
    let bytes = bytes(path).map_err(|error| format!("{}: {error}", path.display()))?;
    // Sizes are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    Ok(bytes as f64 / 1e6)
}
