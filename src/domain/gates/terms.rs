/// What the gates ask for: `[gates]` of the configuration. A gate that is `None` is not there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Annual Sharpe ratio, at least.
    pub sharpe_min: Option<f64>,
    /// Share of trades that won, at least.
    pub win_rate_min: Option<f64>,
    /// What was won over what was lost, at least.
    pub profit_factor_min: Option<f64>,
    /// Largest drawdown, at most.
    pub max_drawdown_max: Option<f64>,
    /// Trades, at least.
    pub trades_min: Option<u64>,
    /// PSR(0) of the out-of-sample returns for a candidate, at least.
    pub candidate_psr: Option<f64>,
    /// DSR of the out-of-sample returns for a candidate, at least.
    pub candidate_dsr: Option<f64>,
    /// PSR(0) of out-of-sample and shadow returns together for production, at least.
    pub production_psr: Option<f64>,
    /// Trades of the shadow test, at least.
    pub shadow_trades: Option<u64>,
    /// Days of the shadow test, at least.
    pub shadow_days: Option<u64>,
    /// The fewest days of returns that a probability is believed at.
    pub min_periods: u64,
    /// Whether figures that are merely reported may stand in for evidence.
    pub accept_reported: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            sharpe_min: Some(1.0),
            win_rate_min: Some(0.52),
            profit_factor_min: Some(1.3),
            max_drawdown_max: Some(0.15),
            trades_min: Some(50),
            candidate_psr: Some(0.95),
            candidate_dsr: Some(0.95),
            production_psr: Some(0.99),
            shadow_trades: Some(100),
            shadow_days: Some(14),
            min_periods: 30,
            accept_reported: false,
        }
    }
}
