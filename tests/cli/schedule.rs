//! `quantum-clm schedule`: from the daemon, and from a file.

use super::bed::Bed;

const MODELS: &str =
    "scheduler.models = [\"xgboost_btcusdt_1h\", \"tft_ethusdt_1h\"]\nscheduler.intervals.xgboost = \"72h\"\n";

#[test]
fn when_which_model_is_trained_and_what_spoke_for_it() {
    let bed = Bed::for_daemon(MODELS);
    let serving = bed.serve(&["serve", "--demo"]);
    let of = |model: &str| {
        let plan = bed.json(&["schedule"]);
        let models = plan["models"].as_array().unwrap();
        models.iter().find(|entry| entry["model_id"] == model).unwrap_or_else(|| panic!("{plan}")).clone()
    };
    let xgboost = of("xgboost_btcusdt_1h");
    assert_eq!((&xgboost["cadence"], &xgboost["interval_seconds"]), (&"every 3 days".into(), &259_200.into()));
    let why = "not by the clock: no interval is configured for it (scheduler.intervals)";
    assert_eq!(of("tft_ethusdt_1h")["why"], why);

    let table = bed.out(&["schedule", "--type", "tft"]);
    let (head, row) = table.split_once('\n').unwrap();
    assert_eq!(
        head.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>(),
        ["MODEL", "STATE", "TRAINED", "LAST (UTC)", "NEXT (UTC)", "NEW TRADES", "WHY"]
    );
    assert!(row.starts_with("tft_ethusdt_1h  not_due  off") && row.ends_with(&format!("{why}\n")), "{row}");
    assert_eq!(bed.json(&["schedule", "list", "-n", "1"])["models"].as_array().map(Vec::len), Some(1));
    assert!(bed.json(&["schedule", "triggers"])["triggers"].is_array());
    assert!(bed.out(&["schedule", "triggers", "--reason", "manual"]).starts_with("TRIGGER"));
    serving.stop();

    // Without the daemon by the file, which no other byte comes to.
    let bytes = std::fs::read(bed.data_file()).unwrap();
    let table = bed.out(&["schedule", "--data-file", "d.redb", "--type", "tft"]);
    assert!(table.contains("tft_ethusdt_1h") && table.contains(why), "{table}");
    assert!(bed.json(&["schedule", "triggers", "--data-file", "d.redb"])["triggers"].is_array());
    assert!(std::fs::read(bed.data_file()).unwrap() == bytes, "who looks changed a byte");

    for (arguments, complaint) in [
        (&["schedule", "--type", "abacus"][..], "abacus"),
        (&["schedule", "triggers", "--reason", "boredom"], "boredom"),
        (&["schedule", "-n", "0"], "0"),
    ] {
        let (code, out, err) = bed.run(arguments);
        assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1), "{arguments:?}: {err}");
        assert!(err.contains(complaint), "{err}");
    }
}
