"""The words that options of the networks may be, known without loading what they choose among."""

#: The tricks of Li and Ortiz (2022), section 3, one at a time and all together (`geolib.gans.tricks`).
TRICKS = ("plain", "batch_norm", "critic_steps", "critic_rate", "leaky", "smooth_label", "all")
