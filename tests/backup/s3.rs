use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use quantum_clm::backup::remote::{Copied, Owner, Patience, Remote, RemoteBackup, RemoteError, S3Place};
use quantum_clm::backup::{self, Place, ReceiveError, receive};
use quantum_clm::config::S3;
use quantum_clm::domain::backup::{
    AuditAt, BackupId, FeedAt, Keep, KeptArtifact, LackingArtifact, Manifest, ProgramId, StoredFile,
};
use quantum_clm::domain::model::Digest;
use quantum_clm::domain::time::Micros;
use quantum_clm::domain::webhook::Pauses;
use sha2::{Digest as _, Sha256};

use crate::support::Random;
use crate::support::receiver::{Certificates, write_secret};
use crate::support::s3::{Moto, Parrot, Weather, Wire};

const BUCKET: &str = "safe";

/// More than one part.
const LARGE: usize = (16 << 20) + 70_001;

const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(20),
    silence: Duration::from_secs(20),
    tries: 4,
    pauses: Pauses { first: 10_000, most: 50_000 },
    object: Duration::from_secs(60),
    rate: 100 << 10,
};

/// Backups that were made here, and what is needed to copy them.
struct Bed {
    directory: tempfile::TempDir,
    place: Place,
}

impl Bed {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::new(directory.path().join("backups"));
        write_secret(&directory.path().join("secret"), "testing");
        Self { directory, place }
    }

    fn settings(&self, url: &str) -> S3 {
        S3 {
            url: Some(url.parse().unwrap()),
            bucket: BUCKET.into(),
            prefix: "home/one".into(),
            access_key_id: "testing".into(),
            secret_access_key_file: Some(self.directory.path().join("secret")),
            ..S3::default()
        }
    }

    fn remote(&self, url: &str) -> Remote {
        Remote::new(&self.settings(url), None, PATIENCE).unwrap()
    }

    /// A backup as it lies on the disk: any bytes as the data file, which nobody opens here, and models' files.
    fn backup(&self, id: &str, size: usize, artifacts: &[&[u8]]) -> Manifest {
        let id: BackupId = id.parse().unwrap();
        let directory = self.place.backup(id);
        fs::create_dir_all(&directory).unwrap();
        let data = noise(size, id.taken_at().0);
        fs::write(directory.join("quantum.redb"), &data).unwrap();
        let artifacts = artifacts.iter().map(|content| {
            let sha256 = digest(content);
            let name = sha256.to_string();
            let stored_name = format!("{}/{}", &name[..2], &name[2..]);
            let path = self.place.artifacts().join(&stored_name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
            let size = content.len() as u64;
            KeptArtifact { sha256, size, stored_name, stored_size: size, stored_sha256: sha256 }
        });
        let (size, sha256) = (size as u64, digest(&data));
        let manifest = Manifest {
            format: 1,
            id,
            schema: 5,
            program: ProgramId { version: "0".into(), revision: "test".into() },
            host: "here".into(),
            taken_at: id.taken_at(),
            finished_at: id.taken_at(),
            feed: FeedAt::default(),
            tables: [].into(),
            data: StoredFile { name: "quantum.redb".into(), size, sha256, plain_size: size, plain_sha256: sha256 },
            artifacts: artifacts.collect(),
            lacking: Vec::new(),
            in_place: 0,
            recipients: Vec::new(),
            audit: AuditAt { count: 0, last: Digest([0; 32]) },
            users: Vec::new(),
            tokens: Vec::new(),
        };
        self.write(&manifest);
        manifest
    }

    /// What it says of itself.
    fn write(&self, manifest: &Manifest) {
        let directory = self.place.backup(manifest.id);
        let text = serde_json::to_vec_pretty(manifest).unwrap();
        let sums = format!("{}  quantum.redb\n{}  manifest.json\n", manifest.data.sha256, digest(&text));
        fs::write(directory.join("manifest.json"), text).unwrap();
        fs::write(directory.join("SHA256SUMS"), sums).unwrap();
    }

    /// An empty place to fetch to.
    fn other(&self, name: &str) -> Place {
        Place::new(self.directory.path().join(name))
    }
}

/// The machine that made the backups of a bed.
fn here() -> Owner {
    Owner { host: "here".into(), machine: Some("1".into()) }
}

fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        bytes.extend(random.next().to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// Every file below `directory` with its content, but for the lock of whoever fetches.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if !path.ends_with(".lock") {
                let name = path.strip_prefix(directory).unwrap().display().to_string();
                found.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[track_caller]
fn assert_says<T, E: std::error::Error>(result: Result<T, E>, parts: &[&str]) {
    let Err(error) = result else { panic!("it succeeded, and should say {parts:?}") };
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
    for secret in ["testing-secret", "Signature="] {
        assert!(!text.contains(secret) && !format!("{error:?}").contains(secret), "{text}");
    }
}

/// Fetches a backup, as commands do; what it says of itself.
fn get(remote: &Remote, id: BackupId, place: &Place) -> Result<Manifest, ReceiveError> {
    tokio::task::block_in_place(|| {
        let received = receive(id, place, &mut RemoteBackup::new(remote, id).unwrap(), None)?;
        assert_eq!(received.findings, []);
        Ok(received.manifest)
    })
}

async fn listed(remote: &Remote) -> Result<Vec<Copied>, RemoteError> {
    let mut copies = Vec::new();
    remote.list(|copy| copies.push(copy)).await?;
    Ok(copies)
}

/// What lies in the bucket below the prefix.
fn kept(moto: &Moto) -> Vec<String> {
    moto.keys(BUCKET).iter().map(|key| key.strip_prefix("home/one/").unwrap_or(key).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_goes_there_once_and_comes_back_as_it_was() {
    let (moto, bed) = (Moto::start(), Bed::new());
    moto.make_bucket(BUCKET);
    let (id, secret) = moto.account("daemon", "s3%3A*");
    write_secret(&bed.directory.path().join("secret"), &format!("{secret}\n"));
    let settings = S3 { access_key_id: id, ..bed.settings(&moto.url()) };
    let remote = Remote::new(&settings, None, PATIENCE).unwrap();
    // The server checks each signature by an implementation that is not ours.
    moto.check_signatures();
    let (one, two, three) = (&noise(10, 1)[..], &noise(LARGE, 2)[..], &b""[..]);
    let first = bed.backup("2026-11-20T031500Z", LARGE, &[one, two, three]);
    let sent = remote.put_backup(&bed.place, &first, &here()).await.unwrap();
    assert_eq!((sent.files, sent.present), (6, 0));
    assert!(sent.bytes > 2 * LARGE as u64);

    let second = bed.backup("2026-11-21T031500Z", 100, &[one, b"new"]);
    let sent = remote.put_backup(&bed.place, &second, &here()).await.unwrap();
    assert_eq!((sent.files, sent.present), (4, 1), "its data, its words, and the one file that is new");
    let sent = remote.put_backup(&bed.place, &second, &here()).await.unwrap();
    assert_eq!((sent.files, sent.present), (2, 3), "a second time, its words");

    let listed = listed(&remote).await.unwrap();
    let manifests: Vec<Manifest> = listed.into_iter().map(|copy| copy.manifest.unwrap()).collect();
    assert_eq!(manifests, [first.clone(), second.clone()]);

    for manifest in [&first, &second] {
        let other = bed.other(&format!("fetched-{}", manifest.id));
        assert_eq!(get(&remote, manifest.id, &other).unwrap(), *manifest);
        let mut wanted: Vec<_> = files(&bed.place.backup(manifest.id));
        assert_eq!(files(&other.backup(manifest.id)), wanted);
        wanted = files(&bed.place.artifacts());
        wanted.retain(|(name, _)| manifest.artifacts.iter().any(|artifact| artifact.stored_name == *name));
        assert_eq!(files(&other.artifacts()), wanted);
        let found = backup::list(&other).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].is_readable(), "{:?}", found[0].manifest);
    }
    moto.check_nothing();
    assert_eq!(moto.unfinished(BUCKET), 0);
    let mut wanted: Vec<String> =
        files(&bed.place.directory).into_iter().map(|(name, _)| format!("home/one/{name}")).collect();
    wanted.sort();
    assert_eq!(moto.keys(BUCKET), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_off_on_the_way_goes_on() {
    let (moto, bed) = (Moto::start(), Bed::new());
    moto.make_bucket(BUCKET);
    let wire = Wire::before(moto.port);
    let remote = bed.remote(&wire.url());
    let backup = bed.backup("2026-11-21T031500Z", LARGE, &[b"model"]);
    // In the middle of the first part, which is sent once more.
    wire.set(Weather { cut_after: Some(9 << 20), ..Weather::default() });
    remote.put_backup(&bed.place, &backup, &here()).await.unwrap();
    assert_eq!((moto.unfinished(BUCKET), kept(&moto).len()), (0, 4));
    // In the middle of its way back, and on from there.
    wire.set(Weather { cut_answers_after: Some(9 << 20), ..Weather::default() });
    get(&remote, backup.id, &bed.other("fetched")).unwrap();
    assert_eq!(files(&bed.other("fetched").directory), files(&bed.place.directory));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_goes_away_has_no_half_backup_and_gets_the_rest_later() {
    let (mut moto, bed) = (Moto::start(), Bed::new());
    moto.make_bucket(BUCKET);
    let wire = Wire::before(moto.port);
    let remote = bed.remote(&wire.url());
    let backup = bed.backup("2026-11-21T031500Z", 2 * LARGE, &[b"model"]);
    wire.set(Weather { down_after: Some(20 << 20), ..Weather::default() });
    assert_says(
        remote.put_backup(&bed.place, &backup, &here()).await,
        &["s3://safe/home/one/2026-11-21T031500Z/quantum.redb"],
    );
    assert_eq!((moto.unfinished(BUCKET), kept(&moto)), (1, vec![artifact(&backup)]));
    wire.set(Weather::default());
    assert_eq!(listed(&remote).await.unwrap().len(), 0);

    let sent = remote.put_backup(&bed.place, &backup, &here()).await.unwrap();
    assert_eq!((sent.files, sent.present), (3, 1));
    assert_eq!((moto.unfinished(BUCKET), listed(&remote).await.unwrap().len()), (0, 1));

    // Killed, and back without anything that it had.
    moto.kill();
    assert_says(remote.put_backup(&bed.place, &backup, &here()).await, &["s3://safe/home/one", "connection"]);
    let again = Moto::start();
    again.make_bucket(BUCKET);
    let remote = bed.remote(&again.url());
    assert_eq!(remote.put_backup(&bed.place, &backup, &here()).await.unwrap().files, 4);
}

fn artifact(manifest: &Manifest) -> String {
    format!("artifacts/{}", manifest.artifacts[0].stored_name)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_told_what_to_mend() {
    let (moto, bed) = (Moto::start(), Bed::new());
    let backup = bed.backup("2026-11-21T031500Z", 100, &[]);
    let secret_file = bed.directory.path().join("secret");
    let missing = bed.remote(&moto.url());
    assert_says(missing.put_backup(&bed.place, &backup, &here()).await, &["no bucket \"safe\"", "backup.s3.bucket"]);
    assert_says(listed(&missing).await, &["no bucket \"safe\"", "backup.s3.bucket"]);
    moto.make_bucket(BUCKET);
    let (reader, reads) = moto.account("reader", "s3%3AListBucket");
    moto.check_signatures();
    let with = |id: &str, secret: &str| {
        write_secret(&secret_file, secret);
        let settings = S3 { access_key_id: id.into(), ..bed.settings(&moto.url()) };
        Remote::new(&settings, None, PATIENCE).unwrap()
    };
    let stranger = with("AKIANOBODY", "testing-secret");
    assert_says(
        stranger.put_backup(&bed.place, &backup, &here()).await,
        &["AKIANOBODY", "mend backup.s3.access_key_id"],
    );
    let wrong = with(&reader, "testing-secret");
    assert_says(wrong.put_backup(&bed.place, &backup, &here()).await, &[&reader, "backup.s3.secret_access_key_file"]);
    let reading = with(&reader, &reads);
    assert_says(reading.put_backup(&bed.place, &backup, &here()).await, &["403", "allow it s3:", "\"safe\""]);
    fs::remove_file(&secret_file).unwrap();
    let settings = bed.settings(&moto.url());
    assert_says(Remote::new(&settings, None, PATIENCE).map(|_| ()), &["backup.s3.secret_access_key_file"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_damaged_is_found() {
    let (moto, bed) = (Moto::start(), Bed::new());
    moto.make_bucket(BUCKET);
    let wire = Wire::before(moto.port);
    let remote = bed.remote(&wire.url());
    let backup = bed.backup("2026-11-21T031500Z", LARGE, &[b"model"]);
    // On the way there: moto, unlike others, takes what was not signed.
    wire.set(Weather { flip_after: Some(9 << 20), ..Weather::default() });
    assert_says(
        remote.put_backup(&bed.place, &backup, &here()).await,
        &["quantum.redb", "something else than what was sent"],
    );
    assert_eq!(kept(&moto), [artifact(&backup)]);
    remote.put_backup(&bed.place, &backup, &here()).await.unwrap();

    for name in ["2026-11-21T031500Z/quantum.redb".to_owned(), artifact(&backup)] {
        let key = format!("home/one/{name}");
        let whole = moto.object(BUCKET, &key);
        moto.damage(BUCKET, &key);
        let other = bed.other(if name.starts_with("artifacts") { "fetched" } else { "another" });
        assert_says(get(&remote, backup.id, &other), &[&name, "it was damaged where it lies"]);
        assert_eq!(backup::list(&other).unwrap().len(), 0);
        moto.put(BUCKET, &key, &whole);
    }
    for name in ["manifest.json", "SHA256SUMS"] {
        let key = format!("home/one/2026-11-21T031500Z/{name}");
        let whole = moto.object(BUCKET, &key);
        moto.damage(BUCKET, &key);
        assert!(listed(&remote).await.unwrap()[0].manifest.is_err(), "{name}");
        assert!(matches!(get(&remote, backup.id, &bed.other("fetched")).unwrap_err(), ReceiveError::Damaged { .. }));
        moto.put(BUCKET, &key, &whole);
    }
    moto.put(BUCKET, "home/one/2026-11-21T031500Z/quantum.redb", b"short");
    let listed = listed(&remote).await.unwrap();
    assert!(listed[0].manifest.as_ref().unwrap_err().contains("5 bytes"), "{listed:?}");
    assert_says(get(&remote, backup.id, &bed.other("fetched")), &["5 bytes instead of"]);
    // What is damaged here is not sent.
    let path = bed.place.backup(backup.id).join("quantum.redb");
    let mut bytes = fs::read(&path).unwrap();
    bytes[17 << 20 >> 1] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_says(remote.put_backup(&bed.place, &backup, &here()).await, &["quantum.redb", "not what it was"]);
    assert_eq!(moto.unfinished(BUCKET), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_copies_go_by_the_same_rule_and_the_last_one_never() {
    let (moto, bed) = (Moto::start(), Bed::new());
    moto.make_bucket(BUCKET);
    let remote = bed.remote(&moto.url());
    let ids = ["2026-11-18T031500Z", "2026-11-19T031500Z", "2026-11-20T031500Z", "2026-11-21T031500Z"];
    for (at, id) in ids.iter().enumerate() {
        let own = noise(20, at as u64);
        let backup = bed.backup(id, 50, &[b"shared", &own]);
        remote.put_backup(&bed.place, &backup, &here()).await.unwrap();
    }
    // One that never arrived, and one that somebody damaged.
    moto.delete(BUCKET, "home/one/2026-11-18T031500Z/SHA256SUMS");
    let of_others =
        ["notes/mine", "2026-11-19T031500Z/notes", "artifacts/run1/model.pkl", "artifacts/ab/latest", "artifacts/mine"];
    of_others.iter().for_each(|name| moto.put(BUCKET, &format!("home/one/{name}"), b"of somebody else"));
    let none = Keep { last: 0, daily: 0, weekly: 0, monthly: 0 };
    let two = Keep { last: 2, ..none };
    let now = quantum_clm::observe::now();
    let gone = remote.prune(&two, now, &here(), &BTreeSet::new()).await.unwrap();
    assert_eq!(gone.iter().map(ToString::to_string).collect::<Vec<_>>(), ["2026-11-19T031500Z", "2026-11-18T031500Z"]);
    let models = |moto: &Moto| {
        let ours = |key: &&String| key.starts_with("artifacts/") && !of_others.contains(&key.as_str());
        kept(moto).iter().filter(ours).count()
    };
    assert_eq!(models(&moto), 5, "models' files may be on their way to another backup for a day");

    // With one that cannot be read nobody knows which are needed.
    let later = now.plus(2 * Micros::DAY);
    let sums = moto.object(BUCKET, "home/one/2026-11-20T031500Z/SHA256SUMS");
    moto.put(BUCKET, "home/one/2026-11-20T031500Z/SHA256SUMS", b"rubbish");
    assert_eq!(remote.prune(&none, later, &here(), &BTreeSet::new()).await.unwrap(), []);
    assert_eq!(models(&moto), 5);
    moto.put(BUCKET, "home/one/2026-11-20T031500Z/SHA256SUMS", &sums);
    assert_eq!(remote.prune(&two, later, &here(), &BTreeSet::new()).await.unwrap(), []);
    assert_eq!(models(&moto), 3);

    assert_eq!(remote.prune(&none, later, &here(), &BTreeSet::new()).await.unwrap().len(), 1);
    assert_eq!(remote.prune(&none, later, &here(), &BTreeSet::new()).await.unwrap(), [], "the last one stays");
    get(&remote, ids[3].parse().unwrap(), &bed.other("fetched")).unwrap();
    let (foreign, ours): (Vec<_>, Vec<_>) = kept(&moto).into_iter().partition(|key| of_others.contains(&key.as_str()));
    assert_eq!(ours.len(), 6, "three of the backup, two models' files, and whose they are");
    assert_eq!(foreign.len(), of_others.len(), "what is not ours is never touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_needs_a_certificate_that_is_trusted() {
    let certificates = Certificates::new();
    let (moto, bed) = (Moto::start_tls(&certificates), Bed::new());
    let url = format!("https://localhost:{}", moto.port);
    let backup = bed.backup("2026-11-21T031500Z", 100, &[]);
    assert_says(bed.remote(&url).put_backup(&bed.place, &backup, &here()).await, &["TLS", "backup.s3.ca_file"]);
    let settings = S3 { ca_file: Some(certificates.file("ca.pem")), ..bed.settings(&url) };
    let remote = Remote::new(&settings, None, PATIENCE).unwrap();
    // No bucket was made: that this is said means that it was reached.
    assert_says(remote.put_backup(&bed.place, &backup, &here()).await, &["no bucket \"safe\""]);
    let none = S3 { ca_file: Some(bed.directory.path().join("secret")), ..settings };
    let remote = Remote::new(&none, None, PATIENCE).unwrap();
    assert_says(listed(&remote).await, &["no certificate", "mend backup.s3.ca_file"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_store_is_asked_again_and_a_strange_one_is_not() {
    let bed = Bed::new();
    let list = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
    let busy = Parrot::start(&[(503, "retry-after: 0\r\n", ""), (429, "", ""), (500, "", "<Error/>"), (200, "", list)]);
    assert_eq!(listed(&bed.remote(&busy.url())).await.unwrap().len(), 0);
    assert_eq!(busy.asked(), 4);
    let down = Parrot::start(&[(503, "", "<Error><Code>SlowDown</Code><Message>a\u{7}b</Message></Error>")]);
    assert_says(listed(&bed.remote(&down.url())).await, &["503 SlowDown (a b)", "try again later"]);
    assert_eq!(down.asked(), PATIENCE.tries as usize);

    let endless = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>";
    let deep = "<a>".repeat(1000);
    let large = "x".repeat(5 << 20);
    for (body, part) in [
        ("<html>hello</html>", "\"html\" instead of \"ListBucketResult\""),
        ("hello", "no XML"),
        (endless, "more pages"),
        (&deep, "too deep"),
        (&large, "longer than"),
        ("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "document type"),
    ] {
        let strange = Parrot::start(&[(200, "", body)]);
        assert_says(listed(&bed.remote(&strange.url())).await, &[part, "backup.s3.url"]);
        assert_eq!(strange.asked(), 1, "{part}");
    }
    let moved = Parrot::start(&[(301, "x-amz-bucket-region: eu-central-1\r\n", "")]);
    assert_says(listed(&bed.remote(&moved.url())).await, &["backup.s3.region = \"eu-central-1\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_place_is_reached_with_the_same_key() {
    let (moto, bed) = (Moto::start(), Bed::new());
    moto.make_bucket("elsewhere");
    let place: S3Place = "s3://elsewhere/2026-11-21T031500Z".parse().unwrap();
    let remote = Remote::new(&bed.settings(&moto.url()), Some(&place), PATIENCE).unwrap();
    let backup = bed.backup("2026-11-21T031500Z", 10, &[]);
    assert_says(get(&remote, backup.id, &bed.other("fetched")), &["no whole backup 2026-11-21T031500Z"]);
    remote.put_backup(&bed.place, &backup, &here()).await.unwrap();
    assert_eq!(moto.keys("elsewhere")[0], "2026-11-21T031500Z/SHA256SUMS");
    assert_eq!(get(&remote, place.id.unwrap(), &bed.other("fetched")).unwrap(), backup);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_has_one_owner() {
    let (moto, here_bed, other_bed) = (Moto::start(), Bed::new(), Bed::new());
    moto.make_bucket(BUCKET);
    let remote = here_bed.remote(&moto.url());
    let backup = here_bed.backup("2026-11-21T031500Z", 100, &[b"model"]);
    // Two machines of one image have one name; its clone one id.
    let others = [
        Owner { host: "there".into(), ..here() },
        Owner { machine: Some("2".into()), ..here() },
        Owner { host: "there".into(), machine: None },
    ];
    remote.claim(&here()).await.unwrap();
    remote.put_backup(&here_bed.place, &backup, &here()).await.unwrap();
    let before: Vec<_> = moto.keys(BUCKET).into_iter().map(|key| (moto.object(BUCKET, &key), key)).collect();
    let keep = Keep { last: 0, daily: 0, weekly: 0, monthly: 0 };
    let later = quantum_clm::observe::now().plus(2 * Micros::DAY);
    for owner in &others {
        let words = ["those of here", "backup.s3.prefix of its own", "remove the object OWNER"];
        assert_says(remote.claim(owner).await, &words);
        let theirs = other_bed.backup("2026-11-22T031500Z", 200, &[]);
        assert_says(remote.put_backup(&other_bed.place, &theirs, owner).await, &words);
        assert_says(remote.prune(&keep, later, owner, &BTreeSet::new()).await, &words);
    }
    let after: Vec<_> = moto.keys(BUCKET).into_iter().map(|key| (moto.object(BUCKET, &key), key)).collect();
    assert!(before == after, "{:?}", moto.keys(BUCKET));
    // Nobody's place, where each sends what it likes: a name is taken once.
    moto.delete(BUCKET, "home/one/OWNER");
    let manifest = other_bed.backup("2026-11-21T031500Z", 200, &[]);
    let theirs = Manifest { host: "there".into(), ..manifest };
    other_bed.write(&theirs);
    assert_says(remote.put_backup(&other_bed.place, &theirs, &others[0]).await, &["those of here"]);
    assert_eq!(get(&remote, backup.id, &here_bed.other("fetched")).unwrap(), backup);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_under_its_name_counts_only_when_all_of_it_is_there() {
    let (moto, bed) = (Moto::start(), Bed::new());
    moto.make_bucket(BUCKET);
    let wire = Wire::before(moto.port);
    let remote = bed.remote(&wire.url());
    let backup = bed.backup("2026-11-21T031500Z", 100, &[]);
    remote.put_backup(&bed.place, &backup, &here()).await.unwrap();
    // The same machine, whose directory of backups was made anew.
    let another = bed.backup("2026-11-21T031500Z", LARGE, &[]);
    wire.set(Weather { down_after: Some(9 << 20), ..Weather::default() });
    assert!(remote.put_backup(&bed.place, &another, &here()).await.is_err());
    wire.set(Weather::default());
    let listed = listed(&remote).await.unwrap();
    assert!(listed.len() == 1 && listed[0].unfinished, "{listed:?}");
    remote.put_backup(&bed.place, &another, &here()).await.unwrap();
    assert_eq!(get(&remote, another.id, &bed.other("fetched")).unwrap(), another);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_sends_a_byte_now_and_then_is_given_up() {
    let (moto, bed) = (Moto::start(), Bed::new());
    moto.make_bucket(BUCKET);
    let wire = Wire::before(moto.port);
    let hasty = Patience { object: Duration::from_secs(2), rate: 1 << 20, ..PATIENCE };
    let backup = bed.backup("2026-11-21T031500Z", 1 << 20, &[]);
    bed.remote(&moto.url()).put_backup(&bed.place, &backup, &here()).await.unwrap();
    // Small ones from the first byte on, and the data file in its middle: each would take hours.
    for (after, name) in [(0, "SHA256SUMS"), (500_000, "quantum.redb")] {
        let remote = Remote::new(&bed.settings(&wire.url()), None, hasty).unwrap();
        wire.set(Weather { drip_answers_after: Some(after), ..Weather::default() });
        let other = bed.other("fetched");
        assert_says(get(&remote, backup.id, &other), &[name, "for one object, and has not sent it"]);
        assert_eq!(backup::list(&other).map_or(0, |found| found.len()), 0);
    }
}

/// What is known of the backups here counts there as well.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_stands_in_for_nothing_and_what_another_lacks_stays() {
    let (moto, bed) = (Moto::start(), Bed::new());
    moto.make_bucket(BUCKET);
    let remote = bed.remote(&moto.url());
    let days = ["18", "19", "20", "21"].map(|day| format!("2026-11-{day}T031500Z"));
    let mut manifests = Vec::new();
    for day in &days {
        manifests.push(bed.backup(day, 50, &[b"shared", format!("of {day}").as_bytes()]));
    }
    // The newest lacks what only the oldest has.
    let lost = manifests[0].artifacts[1].sha256;
    manifests[3].lacking.push(LackingArtifact { sha256: lost, why: "it is not there".into() });
    bed.write(&manifests[3]);
    for manifest in &manifests {
        remote.put_backup(&bed.place, manifest, &here()).await.unwrap();
    }
    let none = Keep { last: 0, daily: 0, weekly: 0, monthly: 0 };
    let now = manifests[3].taken_at.plus(Micros::DAY);
    let prune = async |last, damaged: &[&str]| {
        let damaged = damaged.iter().map(|id| id.parse().unwrap()).collect();
        let gone = remote.prune(&Keep { last, ..none }, now, &here(), &damaged).await.unwrap();
        gone.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(prune(2, &[&days[2], &days[3]]).await, [""; 0], "two that are damaged, and the two before them");
    assert_eq!(
        prune(2, &[&days[2]]).await,
        [""; 0],
        "the newest, one in the place of the damaged one, and what it lacks"
    );
    assert_eq!(prune(1, &[]).await, days[1..3].to_vec(), "the oldest has what the newest lacks");
    let lost = lost.to_string();
    assert!(kept(&moto).contains(&format!("artifacts/{}/{}", &lost[..2], &lost[2..])), "{:?}", kept(&moto));

    // Something is on its way, and a clock was wrong once.
    let ahead = bed.backup("2036-11-21T031500Z", 50, &[]);
    remote.put_backup(&bed.place, &ahead, &here()).await.unwrap();
    let coming = bed.backup("2026-11-21T061500Z", 50, &[]);
    remote.put_backup(&bed.place, &coming, &here()).await.unwrap();
    moto.delete(BUCKET, &format!("home/one/{}/SHA256SUMS", coming.id));
    assert_eq!(prune(1, &[]).await, [""; 0], "what comes was followed by nothing");
}
