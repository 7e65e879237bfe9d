"""What the sample model knows: little sentences by topic, and the words in a question that call up a topic.

The model looks back at one unit only, so a unit here is a word or a little phrase (`under_the_old_oak`), with the mark
that follows it: whatever the model mixes from them is then still English, and mostly to the point.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic: the beginnings of words that ask for it (`_` is a space), and what can be said, an answer a line.

    The first topic that a message asks for is taken.
    """

    name: str
    asked_by: tuple[str, ...]
    answers: tuple[str, ...]


def _topic(name: str, asked_by: str, text: str) -> Topic:
    return Topic(name, tuple(asked_by.split()), tuple(line.strip() for line in text.strip().splitlines()))


TOPICS = (
    _topic(
        "story",
        "once story stories tale another yes_ yes, yes! sure upon dragon queen king castle giant",
        """
        Long_ago, there_lived a_gentle_giant in_the_hills. Every_evening he_told the_sheep a_story.
        Long_ago, there_lived a_clever_fox by_the_river. One_day she_found a_silver_key under_the_bridge.
        Long_ago, there_was_a_sleepy_dragon behind_the_mountain. Nobody dared to_sneeze.
        There_was_once a_kind_queen who_planted_apple_trees. Every_evening she_told the_stars a_secret.
        There_was_once a_lighthouse that_wanted_to_travel. One_day it_found a_patient_whale.
        """,
    ),
    _topic(
        "sea",
        "sea ocean boat ship wave water fish beach island sail harbour whale",
        """
        The_sea is_calm_today. Small_boats wait in_the_harbour.
        The_sea is_never_in_a_hurry. Waves roll_in and_whisper to_the_sand.
        Small_boats drift across_the_bay. The_gulls follow_them home.
        Waves carry shells to_the_beach. Children collect them.
        Whales sing under_the_waves and_sailors_listen.
        """,
    ),
    _topic(
        "animals",
        "fox animal dog cat bird bear owl hedgehog horse pet",
        """
        The_fox sleeps under_the_old_oak. The_owl keeps_watch until_morning.
        The_fox is_clever but_shy. At_night she_visits the_garden.
        The_hedgehog walks slowly and_never_hurries. At_night she_visits the_garden.
        The_bear shares honey with_her_friends.
        The_cat chooses the_warmest_chair. The_dog waits by_the_door.
        """,
    ),
    _topic(
        "night",
        "night moon star sky sleep dream dark space",
        """
        The_stars shine above_the_village. The_owl keeps_watch until_morning.
        The_moon rises over_the_hills. Everyone is_asleep but_the_owl.
        The_night is_quiet. A_lantern glows until_morning.
        The_stars are_far_away but_patient. They_wait for_anyone_who_looks_up.
        Dreams wander through_the_garden. In_the_morning they_are_gone.
        """,
    ),
    _topic(
        "food",
        "bread food eat cook cake hungry recipe apple soup dinner breakfast",
        """
        The_baker rises before_dawn. Soon the_street smells_of_warm_bread.
        The_bread is_still_warm and_the_butter_is_soft. Everyone takes another_slice.
        The_soup simmers slowly. Soon everyone sits at_the_long_table.
        Apples are_ripe in_autumn. Soon everyone sits at_the_long_table.
        Pancakes are_best on_Sunday. Everyone takes another_slice.
        """,
    ),
    _topic(
        "weather",
        "rain weather sun snow wind summer winter cloud storm cold warm",
        """
        The_rain is_soft_today. It_dances on_the_roof.
        The_sun is_warm and_the_wind_is_kind. It_is_a_good_day for_a_walk.
        The_snow falls quietly. In_the_morning the_fields are_white.
        The_wind carries leaves across_the_valley. It_is_a_good_day for_a_book.
        Clouds gather over_the_hills. Soon the_rain will_be_here.
        """,
    ),
    _topic(
        "work",
        "code program python computer work test software bug machine",
        """
        Begin with_a_small_step. Then test_it and_take_another.
        A_good_program does_one_thing. It_does it_well.
        A_good_test finds the_mistake before_anyone_else.
        Read the_message first. It_shows where_to_look.
        """,
    ),
    _topic(
        "books",
        "book read write poem poet learn school library letter word",
        """
        A_good_book opens a_quiet_door. Turn the_page and_see.
        A_good_book is_patient. It_waits on_the_shelf.
        Poems are_small but_they_travel_far.
        The_library is_open_today. Every_shelf keeps a_secret.
        Read a_page before_you_sleep. What shall_we_read next?
        """,
    ),
    _topic(
        "garden",
        "garden tree flower plant forest grow rose bee leaf",
        """
        The_garden grows slowly. It_forgives every_mistake.
        The_garden is_full_of_bees. They_visit the_roses before_noon.
        The_old_oak remembers every_summer. It_waits for_the_rain.
        Roses climb over_the_wall. The_bees are_delighted.
        Seeds sleep under_the_snow. In_spring they_wake and_stretch.
        """,
    ),
    _topic(
        "music",
        "music song sing dance piano guitar violin",
        """
        The_music begins softly. Soon everyone is_dancing.
        A_song is_light to_carry. It_follows you home.
        The_violin answers the_wind. The_drum answers your_heart.
        The_choir sings at_the_market. Soon everyone is_smiling.
        """,
    ),
    _topic(
        "travel",
        "train travel city road walk journey map mountain country",
        """
        The_train hums across_the_valley. The_hills wave goodbye.
        The_road leads over_the_hills. Take bread and_good_shoes.
        The_map is_old but_honest. It_shows every_bridge.
        Mountains are_far_away but_patient. They_wait for_anyone_who_looks_up.
        """,
    ),
    _topic(
        "numbers",
        "number math count sum plus calculate 0 1 2 3 4 5 6 7 8 9",
        """
        Numbers puzzle me. I_know words instead. Ask_me about_the_sea, the_stars_or_the_weather.
        Numbers puzzle me. I_can_count to_three on_a_good_day.
        I_can_count to_three on_a_good_day. Then I_begin again.
        """,
    ),
    _topic(
        "farewell",
        "bye goodbye thank farewell ciao",
        """
        Goodbye and_stay_curious.
        Goodbye and_sleep_well. The_stars will_keep_watch.
        You_are_welcome! Come_back soon.
        You_are_welcome! It_was_good to_meet_you.
        Farewell and_travel_safely. Come_back whenever_you_like.
        """,
    ),
    _topic(
        "greeting",
        "hello hi_ hi! hi, hey_ hey, hey! welcome greet good",
        """
        Hello! I_am_very_small but_I_mean_well. Ask_me about_the_sea, the_stars_or_the_weather.
        Hello! It_is_good to_meet_you. Would_you_like another_story?
        Hello! Please_ask_me anything and_I_will_do_my_best.
        Welcome! It_is_a_quiet_day here. Ask_me about_the_garden.
        Good_day! I_know a_few_hundred_words and_I_like them_all.
        """,
    ),
    _topic(
        "self",
        "you model llama name modelshelf ai_ ai?",
        """
        I_am_a_very_small_model with_one_layer. I_know a_few_hundred_words and_I_like them_all.
        I_am_made by_hand and_quite_real. I_look_at one_word at_a_time.
        I_live inside_one_file. I_never_sleep but_I_dream of_larger_files.
        I_am_still practising. Please_ask_me anything and_I_will_do_my_best.
        I_am_very_small but_I_mean_well.
        """,
    ),
    _topic(
        "questions",
        "why how what when where who which",
        """
        That_is_a_good_question. Perhaps the_owl knows.
        That_is_a_good_question. I_am_very_small but_I_mean_well.
        Nobody knows for_certain. Perhaps the_sea does.
        Slowly, I_think, and_with_care. Perhaps the_owl knows.
        """,
    ),
    _topic(
        "talk",
        "",
        """
        That_is_interesting. Please_go_on.
        How_lovely. Please_go_on.
        I_like that_thought. It_follows you home.
        Tell_me_more. I_never_sleep but_I_listen.
        I_see. Would_you_like another_story?
        """,
    ),
)

OPENINGS = ("Once_upon_a_time ,_there_lived a_gentle_giant in_the_hills. Every_evening he_told the_sheep a_story.",)
"""Texts that somebody may begin and the model continues."""

OTHERWISE = "talk"
"""The topic of whatever nothing else recognises."""
