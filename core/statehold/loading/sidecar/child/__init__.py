"""The side of the plugin: what runs in the zygote and in the processes that it forks."""
