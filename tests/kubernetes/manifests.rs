//! What a schema does not say: that the manifests fit to each other and to the configuration, and that pods may do nothing
//! that they need not.

use std::collections::BTreeMap;
use std::path::Path;

use quantum_clm::config::{Config, Loaded, Request};
use serde_json::{Value, json};

use super::{Manifest, configuration, here};

/// The configuration as the binary reads it: it refuses keys that it does not know.
fn loaded(text: &str) -> Config {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("clm.toml");
    std::fs::write(&file, text).unwrap();
    // As `quantum-clm worker` loads it.
    let request = Request { file: Some(file), demo: true, ..Request::default() };
    Loaded::from(&request).unwrap_or_else(|error| panic!("{:?}", error.faults)).config
}

fn bytes(quantity: &Value) -> u64 {
    let text = quantity.as_str().unwrap();
    let gibibytes = text.strip_suffix("Gi").unwrap_or_else(|| panic!("{text}: write it in Gi"));
    gibibytes.parse::<u64>().unwrap() << 30
}

/// Path of a mount by the name of its volume.
fn mounts(pod: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
    mounts.iter().map(|mount| (text(&mount["name"]), text(&mount["mountPath"]))).collect()
}

#[test]
fn pods_may_do_nothing_that_they_need_not() {
    let manifests = Manifest::all();
    let pods: Vec<_> = manifests.iter().filter_map(|one| Some((&one.file, one.pod()?))).collect();
    assert_eq!(pods.len(), 3, "a Deployment, a Job and a ScaledJob");
    for (file, pod) in pods {
        let context = &pod["securityContext"];
        assert_eq!(context["runAsNonRoot"], true, "{file}");
        assert!(context["runAsUser"].as_u64().is_some_and(|user| user > 0), "{file}");
        assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault", "{file}");
        assert_eq!(pod["automountServiceAccountToken"], false, "{file}");
        for absent in ["hostNetwork", "hostPID", "hostIPC", "serviceAccountName"] {
            assert!(pod[absent].is_null(), "{file}: {absent}");
        }
        assert_eq!(pod["containers"].as_array().unwrap().len(), 1, "{file}");
        assert_eq!(
            pod["containers"][0]["securityContext"],
            json!({
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] },
            }),
            "{file}"
        );
        let kinds = ["name", "configMap", "secret", "emptyDir", "persistentVolumeClaim"];
        for volume in pod["volumes"].as_array().unwrap() {
            assert!(volume.as_object().unwrap().keys().all(|key| kinds.contains(&key.as_str())), "{file}: {volume}");
        }
        let token = pod["volumes"].as_array().unwrap().iter().find(|volume| volume["secret"].is_object()).unwrap();
        assert_eq!(token["secret"]["defaultMode"], 0o440, "{file}: a token that everybody may read is refused");
    }
}

#[test]
fn the_three_make_the_same_pods() {
    let manifests = Manifest::all();
    let mut templates: Vec<_> = manifests.iter().filter_map(Manifest::template).cloned().collect();
    for template in &mut templates {
        let spec = template["spec"].as_object_mut().unwrap();
        // Where they are meant to differ.
        spec.remove("restartPolicy");
        spec.remove("terminationGracePeriodSeconds");
        spec["containers"][0].as_object_mut().unwrap().remove("args");
    }
    assert!(templates.windows(2).all(|pair| pair[0] == pair[1]), "{templates:#?}");
}

#[test]
fn what_is_named_is_there() {
    let manifests = Manifest::all();
    let is_there =
        |kind: &str, name: &Value| manifests.iter().any(|manifest| manifest.kind() == kind && *name == manifest.name());
    let namespace = manifests.iter().find(|manifest| manifest.kind() == "Namespace").unwrap().name().to_owned();
    for manifest in &manifests {
        let file = &manifest.file;
        if manifest.kind() != "Namespace" {
            assert_eq!(manifest.object["metadata"]["namespace"], namespace, "{file}");
        }
        let target = &manifest.object["spec"]["scaleTargetRef"];
        assert!(target.is_null() || is_there(target["kind"].as_str().unwrap(), &target["name"]), "{file}: {target}");
        let Some(pod) = manifest.pod() else { continue };
        let mounts = mounts(pod);
        for volume in pod["volumes"].as_array().unwrap() {
            assert!(mounts.contains_key(volume["name"].as_str().unwrap()), "{file}: {volume} is mounted nowhere");
            for (kind, name) in [
                ("ConfigMap", &volume["configMap"]["name"]),
                ("Secret", &volume["secret"]["secretName"]),
                ("PersistentVolumeClaim", &volume["persistentVolumeClaim"]["claimName"]),
            ] {
                assert!(name.is_null() || is_there(kind, name), "{file}: there is no {kind} {name}");
            }
        }
        // The policy is for those with these labels, and so is the Deployment.
        let labels = &manifest.template().unwrap()["metadata"]["labels"];
        for other in &manifests {
            for selector in [&other.object["spec"]["podSelector"], &other.object["spec"]["selector"]] {
                for (name, value) in selector["matchLabels"].as_object().into_iter().flatten() {
                    assert_eq!(labels[name], *value, "{file}: {}", other.file);
                }
            }
        }
    }
}

#[test]
fn the_configuration_is_known_to_the_binary_and_fits_the_pods() {
    let manifests = Manifest::all();
    let config = loaded(&configuration(&manifests));
    let worker = &config.worker;
    assert_eq!(worker.name, "", "each pod has a name of its own");
    let secret = manifests.iter().find(|manifest| manifest.kind() == "Secret").unwrap();
    let longest = config.adapters.all().map(|(_, adapter)| adapter.time_limit).max().unwrap();
    for (file, pod) in manifests.iter().filter_map(|one| Some((&one.file, one.pod()?))) {
        let (mounts, container) = (mounts(pod), &pod["containers"][0]);
        // It is read where no --config says otherwise.
        let default = Path::new(quantum_clm::config::DEFAULT_FILE);
        assert_eq!(default.parent(), Some(Path::new(&mounts["configuration"])), "{file}");
        for path in [worker.token_file.as_ref().unwrap(), worker.ca_file.as_ref().unwrap()] {
            let key = path.strip_prefix(&mounts["secret"]).unwrap_or_else(|_| panic!("{file}: {}", path.display()));
            assert!(secret.object["stringData"][key.to_str().unwrap()].is_string(), "{file}: {}", path.display());
        }
        let below = worker.directory.strip_prefix(&mounts["jobs"]).unwrap();
        assert_ne!(below, Path::new(""), "{file}: the mount itself belongs to root, and a worker wants its own");
        let limits = &container["resources"]["limits"];
        let room = bytes(&limits["memory"]) - worker.memory.unwrap() * u64::from(worker.slots);
        assert!(room >= 512 << 20, "{file}: the kernel would end the worker before the worker ends a program");
        let jobs = pod["volumes"].as_array().unwrap().iter().find(|volume| volume["name"] == "jobs").unwrap();
        assert!(bytes(&limits["ephemeral-storage"]) > bytes(&jobs["emptyDir"]["sizeLimit"]), "{file}");
        let requests = &container["resources"]["requests"];
        assert_eq!(
            requests["cpu"].as_str().unwrap().parse(),
            Ok(worker.cpus.unwrap() * f64::from(worker.slots)),
            "{file}"
        );
        let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
        if file == "worker-deployment.yaml" {
            assert!(grace >= 3 * longest.as_secs(), "{file}: who drains would be killed");
        } else {
            assert!(grace > worker.grace.as_secs() + 15, "{file}: there is no time to report the end");
        }
    }
    let prices = config.adapters.all().flat_map(|(_, adapter)| adapter.programs.into_values().flatten());
    assert!(prices.into_iter().any(|word| word == "/srv/prices"), "the loader reads what is mounted");
}

#[test]
fn the_image_has_what_the_configuration_runs() {
    let text = std::fs::read_to_string(here("packaging/kubernetes/Containerfile")).unwrap();
    let mut copied =
        text.lines().filter_map(|line| line.strip_prefix("COPY ")).map(|rest| rest.split(' ').next().unwrap());
    // `make build` makes dist.
    assert!(copied.all(|path| path.starts_with("dist/") || here(path).exists()), "{text}");
    let config = loaded(&configuration(&Manifest::all()));
    for (model_type, adapter) in config.adapters.all() {
        for words in adapter.programs.values() {
            let script = words[1].strip_prefix("/opt/quantum-clm/adapters/").unwrap();
            assert!(here("packaging/adapters").join(script).exists(), "{model_type}: {script}");
            assert_eq!(words[0], "/opt/quantum-clm/adapters/python/bin/python");
        }
    }
    assert!(text.contains("setup-adapters --parquet /opt/quantum-clm/adapters"), "{text}");
}
