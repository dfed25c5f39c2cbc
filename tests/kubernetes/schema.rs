//! The schema checker takes the manifests as they are, and refuses them broken.

use std::fs;

use super::{check, files, here};

#[test]
fn every_manifest_fits_the_schemas() {
    let files = files();
    assert!(files.len() >= 8, "{files:?}");
    let output = check(&files);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_broken_manifest_is_refused_with_its_place() {
    for (file, of, by, expected) in [
        ("worker-deployment.yaml", "replicas: 1", "replicas: one", "spec/replicas: 'one' is not"),
        ("worker-deployment.yaml", "replicas: 1", "replica: 1", "'replica' was unexpected"),
        ("worker-deployment.yaml", "runAsNonRoot: true", "runAsNonRoot: 'true'", "runAsNonRoot: 'true' is not of type"),
        ("worker-deployment.yaml", "drop: [ALL]", "drop: ALL", "capabilities/drop: 'ALL' is not of type"),
        ("worker-deployment.yaml", "apps/v1", "apps/v7", "Couldn't find schema for kind Deployment"),
        ("worker-job.yaml", "backoffLimit: 0", "backofLimit: 0", "'backofLimit' was unexpected"),
        ("worker-job.yaml", "restartPolicy: Never", "restartPolicy: Never\n      restartPolicy: Always", "twice"),
        ("worker-scaled-job.yaml", "threshold: \"1\"", "threshold: 1", "threshold: 1 is not of type 'string'"),
        ("worker-scaled-job.yaml", "strategy: accurate", "strategy: exact", "'exact' is not one of"),
        (
            "worker-scaled-job.yaml",
            "mountPath: /srv/prices",
            "path: /srv/prices",
            "spec/template/spec/containers/0/volumeMounts/3",
        ),
        ("worker-deployment-scaled.yaml", "maxReplicaCount", "maxReplicas", "'maxReplicas' was unexpected"),
        ("worker-deployment-scaled.yaml", "type: prometheus", "type: prometeus", "'prometheus' was expected"),
        ("network-policy.yaml", "port: 8443", "ports: 8443", "'ports' was unexpected"),
        ("configuration.yaml", "clm.toml: |", "clm.toml: 7\n  x: |", "data/clm.toml: 7 is not of type 'string'"),
    ] {
        let text = fs::read_to_string(here("packaging/kubernetes").join(file)).unwrap();
        assert!(text.contains(of), "{file} has no {of}");
        let directory = tempfile::tempdir().unwrap();
        let broken = directory.path().join(file);
        fs::write(&broken, text.replacen(of, by, 1)).unwrap();
        let output = check(&[broken]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{file}: {by}: it was taken");
        assert!(said.contains(expected), "{file}: {by}: {said}");
    }
}
