-- Written by `python -m deploy.metric_views` from models/semantic_models.yml. Parameter: catalog.
declare or replace variable statement string;

set variable statement = replace(
    'create or replace view `{catalog}`.gold.gym_visits_metrics with metrics language yaml as $$
version: 1.1
source: \'`{catalog}`.gold.gym_summary\'
comment: Visits to gyms, one a row of gym_summary.
dimensions:
- name: visit_date
  expr: visit_date
  comment: The gym\'s local date of the login.
- name: gym_id
  expr: gym_id
  comment: Id of the gym.
- name: local_hour
  expr: local_hour
  comment: Hour of the login on the gym\'s clock.
- name: age_band
  expr: age_band
  comment: Age band at the login.
- name: sex
  expr: sex
  comment: Sex at the login.
- name: gender
  expr: gender
  comment: Gender at the login.
- name: city
  expr: city
  comment: City at the login.
- name: state
  expr: state
  comment: State at the login.
measures:
- name: gym_visits
  expr: SUM(1)
  comment: Visits to gyms, open ones and those without an owner too.
- name: members_visits
  expr: SUM(case when user_id is not null then 1 else 0 end)
  comment: Visits to gyms whose owner is known.
- name: visiting_members
  expr: COUNT(DISTINCT user_id)
  comment: \'Members with a visit. Distinct over the whole span: days do not add up.\'
- name: visits_per_member
  expr: MEASURE(members_visits) / nullif(MEASURE(visiting_members), 0)
  comment: Visits of members by members with a visit.
- name: gym_minutes
  expr: SUM(cast(minutes_in_gym as decimal(20, 2)))
  comment: Minutes in the gym, of closed visits.
- name: gym_exercise_minutes
  expr: SUM(cast(case when minutes_in_gym is not null then minutes_exercising end as decimal(20, 2)))
  comment: Minutes exercising in closed visits.
- name: exercise_share
  expr: MEASURE(gym_exercise_minutes) / nullif(MEASURE(gym_minutes), 0)
  comment: Share of the minutes in the gym that are exercise, of closed visits.
$$',
    '{catalog}', :catalog
);
execute immediate statement;

set variable statement = replace(
    'create or replace view `{catalog}`.gold.workouts_metrics with metrics language yaml as $$
version: 1.1
source: \'`{catalog}`.gold.workout_bpm_summary\'
comment: Completed sessions with readings, one a row of workout_bpm_summary.
dimensions:
- name: workout_date
  expr: workout_date
  comment: The member\'s local date of the start.
- name: gym_id
  expr: gym_id
  comment: Gym of the visit that the session belongs to.
- name: zone_basis
  expr: zone_basis
  comment: \'What the zones go by: reserve or maximum.\'
- name: age_band
  expr: age_band
  comment: Age band at the start.
- name: sex
  expr: sex
  comment: Sex at the start.
- name: gender
  expr: gender
  comment: Gender at the start.
- name: city
  expr: city
  comment: City at the start.
- name: state
  expr: state
  comment: State at the start.
measures:
- name: workouts
  expr: SUM(1)
  comment: Completed sessions with at least one reading.
- name: median_workout_minutes
  expr: MEDIAN((unix_micros(ended_at) - unix_micros(started_at)) / 60000000.0D)
  comment: Median length of a workout, minutes.
- name: mean_workout_bpm
  expr: AVG(avg_bpm)
  comment: Mean heart rate of a workout, mean over workouts, beats a minute.
- name: mean_recovery_bpm
  expr: AVG(heart_rate_recovery_bpm)
  comment: Fall of the heart rate in the minute after a workout, mean over workouts, beats a minute.
$$',
    '{catalog}', :catalog
);
execute immediate statement;

set variable statement = replace(
    'create or replace view `{catalog}`.gold.days_metrics with metrics language yaml as $$
version: 1.1
source: \'`{catalog}`.gold.daily_heart_rates\'
comment: Heart rates of each member and day, one a row of daily_heart_rates.
dimensions:
- name: date_day
  expr: \'`date`\'
  comment: The member\'s local date.
- name: zone_basis
  expr: zone_basis
  comment: \'What the zones go by: reserve or maximum.\'
- name: age_band
  expr: age_band
  comment: Age band on the day.
- name: sex
  expr: sex
  comment: Sex on the day.
- name: gender
  expr: gender
  comment: Gender on the day.
- name: city
  expr: city
  comment: City on the day.
- name: state
  expr: state
  comment: State on the day.
measures:
- name: member_days
  expr: SUM(1)
  comment: Days of members with readings.
- name: active_zone_minutes
  expr: SUM(cast(active_zone_minutes as decimal(20, 2)))
  comment: One for each minute in fat burn, two for each in cardio and peak (Fitbit\'s rule).
- name: active_zone_minutes_per_week
  expr: 7 * MEASURE(active_zone_minutes) / MEASURE(member_days)
  comment: Active-zone minutes of seven days with readings, mean over members\' days.
- name: mean_resting_bpm_estimate
  expr: AVG(resting_bpm_estimate)
  comment: Estimated resting heart rate, mean over members\' days, beats a minute.
$$',
    '{catalog}', :catalog
);
execute immediate statement;

set variable statement = replace(
    'create or replace view `{catalog}`.gold.members_metrics with metrics language yaml as $$
version: 1.1
source: \'`{catalog}`.gold.member_activity\'
comment: Members as of as_of_date, one a row of member_activity.
dimensions:
- name: as_of_date
  expr: as_of_date
  comment: The day the table looks back from.
- name: age_band
  expr: age_band
  comment: Age band as of as_of_date.
- name: sex
  expr: sex
  comment: Sex as of as_of_date.
- name: gender
  expr: gender
  comment: Gender as of as_of_date.
- name: city
  expr: city
  comment: City as of as_of_date.
- name: state
  expr: state
  comment: State as of as_of_date.
measures:
- name: members
  expr: SUM(1)
  comment: Members as of as_of_date.
- name: inactive_members
  expr: COUNT_IF(is_inactive)
  comment: Members without a visit or workout in the 14 days up to as_of_date.
- name: falling_members
  expr: COUNT_IF(is_falling)
  comment: Members with 6 visits or more in the 84 days before the last 28, and less than half that rate since.
$$',
    '{catalog}', :catalog
);
execute immediate statement;

set variable statement = replace(
    'create or replace view `{catalog}`.gold.cohorts_metrics with metrics language yaml as $$
version: 1.1
source: \'`{catalog}`.gold.member_cohorts\'
comment: Members by the month they began in and months since, one a row of member_cohorts without the small ones.
dimensions:
- name: cohort_month
  expr: cohort_month
  comment: Month of the first visit or workout.
- name: months_since
  expr: months_since
  comment: Full months since then.
measures:
- name: cohort_members
  expr: SUM(case when not is_suppressed then members end)
  comment: Members by cohort, in each month since.
- name: active_cohort_members
  expr: SUM(case when not is_suppressed then active end)
  comment: Members with a visit or workout in the month.
- name: retention
  expr: MEASURE(active_cohort_members) / nullif(MEASURE(cohort_members), 0)
  comment: Share of a cohort with a visit or workout in a month since it began.
$$',
    '{catalog}', :catalog
);
execute immediate statement;

set variable statement = replace(
    'create or replace view `{catalog}`.gold.gym_hours_metrics with metrics language yaml as $$
version: 1.1
source: \'`{catalog}`.gold.gym_hours\'
comment: Gyms by hour, one a row of gym_hours; small numbers are null.
dimensions:
- name: local_date
  expr: local_date
  comment: The gym\'s local date.
- name: gym_id
  expr: gym_id
  comment: Id of the gym.
- name: local_hour
  expr: local_hour
  comment: Hour on the gym\'s clock.
measures:
- name: peak_members
  expr: SUM(case when capacity is not null then peak_members end)
  comment: Greatest number at once in an hour, summed over hours of gyms with a known capacity.
- name: hours_capacity
  expr: SUM(case when peak_members is not null then capacity end)
  comment: Capacity, summed over the same hours.
- name: occupancy
  expr: MEASURE(peak_members) / nullif(MEASURE(hours_capacity), 0)
  comment: Members at once in an hour against the gym\'s capacity, mean over hours by capacity.
$$',
    '{catalog}', :catalog
);
execute immediate statement;

set variable statement = replace(
    'create or replace view `{catalog}`.gold.feeds_metrics with metrics language yaml as $$
version: 1.1
source: \'`{catalog}`.gold.pipeline_health\'
comment: Records of each feed by date of arrival, one a row of pipeline_health.
dimensions:
- name: arrival_date
  expr: arrival_date
  comment: UTC date of arrival.
- name: feed
  expr: feed
  comment: The feed.
measures:
- name: records_received
  expr: SUM(received)
  comment: Records that arrived, of all feeds.
- name: records_rejected
  expr: SUM(rejected)
  comment: Records that were rejected, of all feeds.
- name: reject_rate
  expr: MEASURE(records_rejected) / nullif(MEASURE(records_received), 0)
  comment: Share of the records that were rejected.
- name: records_late
  expr: SUM(late)
  comment: Valid records that arrived later than an hour after their event.
$$',
    '{catalog}', :catalog
);
execute immediate statement;
