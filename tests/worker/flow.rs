//! A job's way, undisturbed.

use super::bed::Scene;

#[test]
fn a_job_becomes_a_gated_version_with_its_files() {
    let scene = Scene::new(&[]);
    let worker = scene.worker("worker-a", &[]);
    let id = scene.train("BTCUSDT");
    let job = scene.wait_state(&id, "completed");
    eprintln!("{job:#}");
    eprintln!("{}", worker.log());
    eprintln!("{}", scene.log_of(&id));
    scene.wait_no_process();
    assert_eq!(scene.lines("trained"), [id]);
}
